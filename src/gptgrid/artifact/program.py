"""The main of a stage program: from a request to a published artifact.

A program gets a request (a small JSON file that the plan wrote), works out the identity of the artifact
that is asked for, and either links it from the store or builds it in `<identity>.partial/` and publishes it
there by one rename. What an artifact contains is the business of the stage.
"""

import argparse
import csv
import errno
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, TextIO

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import write_text
from gptgrid.artifact.fingerprint import fingerprint
from gptgrid.artifact.identity import identity_of, input_digest, namespace
from gptgrid.artifact.job import Build, Job, peak_memory_mb
from gptgrid.artifact.manifest import MANIFEST, describe_outputs, read_manifest
from gptgrid.artifact.provenance import describe_environment
from gptgrid.artifact.store import Store, link_artifact


def main(stage: str, build: Build, description: str | None) -> None:
    """Run a stage program from the command line: `<stage>.py REQUEST`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("request", type=Path, help="request file; `snakemake -n` writes them")
    parser.add_argument("--threads", type=int, default=1, help="threads, where they change no result")
    arguments = parser.parse_args()
    path = arguments.request
    request = json.loads(path.read_text(encoding="utf-8"))
    sys.stdout = Labelled(sys.stdout, request["artifact"].removeprefix("results/").removeprefix("data/"))
    try:
        if request["stage"] != stage:
            raise UserError(f"the request is for {request['stage']}, not for {stage}")
        fulfil(request, build, Path(sys.argv[0]).resolve(), arguments.threads)
        os.utime(path, (0, 0))  # answered: older than any artifact, see gptgrid.plan.plan
    except UserError as error:
        sys.exit(f"gptgrid: {request['artifact']}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(
            f"gptgrid: {request['artifact']}: the disk is full; make room, then the same command goes on"
        )


class Labelled(io.TextIOBase):
    """A stream that puts a label before each line, as several programs print to one terminal."""

    def __init__(self, stream: TextIO, label: str) -> None:
        self.stream, self.label = stream, label
        self.at_start = True

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            self.stream.write(f"{self.label}: {line}" if self.at_start else line)
            self.at_start = line.endswith("\n")
        return len(text)

    def flush(self) -> None:
        self.stream.flush()


def fulfil(request: dict[str, Any], build: Build, script: Path, threads: int = 1) -> None:
    """Put the artifact that a request asks for where it belongs: from the store, or built now."""
    stage, config, source = request["stage"], request["config"], request["source"]
    if fingerprint(script) != source:
        raise UserError(
            f"the source of {script.name}, or of a module that it imports, changed after the plan was made; "
            "run the same command again"
        )
    inputs = {name: Path(folder) for name, folder in request["inputs"].items()}
    digests = {name: input_digest(stage, read_manifest(folder)) for name, folder in inputs.items()}
    identity = identity_of(stage, config, source, {**digests, **request["raw"]})
    store = Store(Path(request["store"]))
    with store.lock(stage, identity):
        if store.has(stage, identity) and store.is_intact(stage, identity):
            print(f"restored: {stage} {identity[:12]} was in the store", flush=True)
        else:
            make(request, build, inputs, digests, identity, store, threads)
            print(f"made: {stage} {identity[:12]}", flush=True)
        folder = store.folder(stage, identity)
        link_artifact(folder, Path(request["artifact"]), read_manifest(folder))


def make(
    request: dict[str, Any],
    build: Build,
    inputs: dict[str, Path],
    digests: dict[str, str],
    identity: str,
    store: Store,
    threads: int,
) -> None:
    """Build an artifact in its partial folder and publish it in the store."""
    stage = request["stage"]
    partial = store.folder(stage, f"{identity}.partial")
    job = Job(
        config=namespace(request["config"]),
        inputs=inputs,
        folder=partial / "artifact",
        scratch=partial / "scratch",
        run=namespace(request["run"]),
        raw=request["raw"],
        threads=threads,
    )
    job.folder.mkdir(parents=True, exist_ok=True)
    job.scratch.mkdir(exist_ok=True)
    (job.folder / MANIFEST).unlink(missing_ok=True)
    with job.timing("total"):
        facts = build(job)
    write_volatile(job)
    manifest = {
        "stage": stage,
        "identity": identity,
        "config": request["config"],
        "source": request["source"],
        "inputs": {**digests, **request["raw"]},
        "outputs": describe_outputs(job.folder),
        "facts": facts,
    }
    # Indented for people; sorted, so that the bytes depend on the content alone.
    text = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(job.folder / MANIFEST, text + "\n")
    store.publish(job.folder, stage, identity)
    shutil.rmtree(partial)


def write_volatile(job: Job) -> None:
    """Write provenance.json and timing.csv beside the outputs."""
    facts = {**describe_environment(), "peak_memory_mb": peak_memory_mb(), **job.provenance}
    (job.folder / "provenance.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    with (job.folder / "timing.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "seconds"])
        writer.writerows((step, f"{seconds:.6f}") for step, seconds in job.timings.items())
