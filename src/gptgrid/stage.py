"""The one mechanism that all stage programs share: identity, store, lock, atomic publication.

A program gets a request (a small JSON file that the plan wrote), works out the identity of the artifact
that is asked for, and either links it from the store or builds it in `<identity>.partial/` and publishes it
there by one rename. What an artifact contains is the business of the stage.
"""

import argparse
import csv
import errno
import hashlib
import io
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

from filelock import FileLock, Timeout

from gptgrid.files import write_text
from gptgrid.provenance import describe_environment
from gptgrid.source import fingerprint

MANIFEST = "manifest.json"
VOLATILE = ("provenance.json", "timing.csv")
"""Files beside the outputs that no identity and no digest covers."""
ABOUT, CARD = "about", "card.md"
"""The fact and the output that describe an artifact to people. What is made from its content does not depend
on them: a licence that is mended retrains nothing."""


class UserError(Exception):
    """Something that a person can mend. The message says what was found, where, and what to do."""


# ------------------------------------------------------------------------------- small foundations


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no blanks, no NaN."""
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def digest(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def namespace(value: Any) -> Any:
    """Turn nested mappings into namespaces: `config.training.lr`."""
    return json.loads(json.dumps(value), object_hook=lambda pairs: SimpleNamespace(**pairs))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an artifact.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {folder} is not a finished artifact; run snakemake") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run snakemake again") from None


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return the volatile facts of an artifact; empty if they were not kept."""
    path = folder / "provenance.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def content_digest(manifest: dict[str, Any]) -> str:
    """Return the digest of what an artifact holds, however and from wherever it came about."""
    files = {name: output["sha256"] for name, output in manifest["outputs"].items() if name != CARD}
    facts = {name: fact for name, fact in manifest["facts"].items() if name != ABOUT}
    return digest({"outputs": files, "facts": facts})


def described_digest(manifest: dict[str, Any]) -> str:
    """Return the digest of what an artifact holds and of what it says about itself."""
    return digest({"content": content_digest(manifest), ABOUT: manifest["facts"].get(ABOUT)})


def input_digest(stage: str, manifest: dict[str, Any]) -> str:
    """Return what the identity of a stage's artifact takes from an input: the report shows descriptions."""
    return described_digest(manifest) if stage == "report" else content_digest(manifest)


def identity_of(stage: str, config: Any, source: str, inputs: dict[str, str]) -> str:
    """Return the identity of an artifact: the digest of everything that decides what it holds."""
    return digest({"stage": stage, "config": config, "source": source, "inputs": inputs})


# ------------------------------------------------------------------------------------------ store


@dataclass(frozen=True)
class Store:
    """Finished artifacts under `<root>/<stage>/<identity>/`; a file system that machines may share."""

    root: Path

    def folder(self, stage: str, identity: str) -> Path:
        """Return where an artifact lies, or would lie."""
        return self.root / stage / identity

    def has(self, stage: str, identity: str) -> bool:
        """Say whether an artifact is there, whole."""
        return (self.folder(stage, identity) / MANIFEST).is_file()

    @contextmanager
    def lock(self, stage: str, identity: str) -> Iterator[None]:
        """Hold an artifact's lock; wait for another process that is making the same one."""
        path = self.root / stage / f"{identity}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(
                f"waiting: another process is making {stage} {identity[:12]}",
                flush=True,
            )
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def is_intact(self, stage: str, identity: str) -> bool:
        """Check the files of an artifact against its manifest; set a damaged one aside."""
        folder = self.folder(stage, identity)
        damaged = first_damage(folder, read_manifest(folder))
        if damaged is None:
            return True
        aside = folder.with_name(f"{identity}.damaged-{time.time_ns()}")
        folder.rename(aside)
        print(f"{damaged} in the store; set aside as {aside} and made again", flush=True)
        return False

    def publish(self, work: Path, stage: str, identity: str) -> None:
        """Make a finished work folder the artifact, by one rename that lasts through a power cut."""
        for path in work.rglob("*"):
            sync(path)
        sync(work)
        work.rename(self.folder(stage, identity))
        sync(self.root / stage)

    def adopt(self, folder: Path) -> bool:
        """Keep a finished artifact that lies outside the store, if it is what its manifest says."""
        manifest = read_manifest(folder)
        stage, identity = manifest["stage"], manifest["identity"]
        expected = identity_of(stage, manifest["config"], manifest["source"], manifest["inputs"])
        if identity != expected or self.has(stage, identity) or first_damage(folder, manifest):
            return False
        with self.lock(stage, identity):
            work = self.root / stage / f"{identity}.adopt"
            shutil.rmtree(work, ignore_errors=True)
            link_artifact(folder, work, manifest)
            self.publish(work, stage, identity)
        return True


def first_damage(folder: Path, manifest: dict[str, Any]) -> str | None:
    """Return a sentence on the first output that is not what the manifest says; None if all are."""
    for name, output in manifest["outputs"].items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if path.stat().st_size != output["bytes"] or file_digest(path) != output["sha256"]:
            return f"{path} does not have the sha256 of its manifest"
    return None


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_artifact(origin: Path, target: Path, manifest: dict[str, Any]) -> None:
    """Give an artifact a second name: hard links, or copies where links cannot be made.

    The manifest comes last, so that a folder with a manifest is whole.
    """
    target.mkdir(parents=True, exist_ok=True)
    (target / MANIFEST).unlink(missing_ok=True)
    volatile = [name for name in VOLATILE if (origin / name).is_file()]
    # Of an earlier artifact here that had more of them; readers take all that they find.
    for numbered in target.glob("*-[0-9]*.*"):
        if numbered.name not in manifest["outputs"]:
            numbered.unlink()
    for name in [*manifest["outputs"], *volatile, MANIFEST]:
        link(origin / name, target / name)


def link(origin: Path, target: Path) -> None:
    """Give a file a second name: a hard link, or a copy where links cannot be made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(origin)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES):
            raise
        shutil.copy2(origin, target)


# -------------------------------------------------------------------------------------------- job


@dataclass
class Job:
    """What a stage's `build` function works with."""

    config: SimpleNamespace
    """The slice of the configuration that the stage reads, complete."""
    inputs: dict[str, Path]
    """Name → folder of an artifact made earlier."""
    folder: Path
    """Put the deliverables here. The folder outlives a kill: the next try finds what lies in it."""
    scratch: Path
    """For checkpoints and parts. It outlives a kill too, and is deleted at the end."""
    run: SimpleNamespace = field(default_factory=SimpleNamespace)
    """The `run` section: how, never what."""
    raw: dict[str, str] = field(default_factory=dict)
    """A user's own file → sha256 when the plan was made."""
    threads: int = 1
    """Threads for work whose result does not depend on their number."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Volatile facts to keep beside the artifact: speeds, memory, what `auto` became."""
    timings: dict[str, float] = field(default_factory=dict)
    """Step → seconds."""

    def own_file(self, name: str) -> Path:
        """Return the path of a user's own file, which must be the one that the plan saw.

        Raises:
            UserError: it cannot be read, or changed.
        """
        path = Path(name)
        try:
            sha256 = file_digest(path)
        except OSError as error:
            raise UserError(f"{name} cannot be read ({error.strerror}); mend its path, or the file") from None
        if sha256 != self.raw[name]:
            raise UserError(f"{name} changed after the plan was made; run the same command again")
        return path

    def manifest(self, name: str) -> dict[str, Any]:
        """Return the manifest of an input."""
        return read_manifest(self.inputs[name])

    def provenance_of(self, name: str) -> dict[str, Any]:
        """Return the volatile facts of an input; empty if they were not kept."""
        return read_provenance(self.inputs[name])

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        """Add the seconds spent inside to a step of timing.csv."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[step] = self.timings.get(step, 0.0) + time.perf_counter() - start


Build = Callable[[Job], dict[str, Any]]
"""Fills the job's folder and returns the facts for the manifest."""


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
        os.utime(path, (0, 0))  # answered: older than any artifact, see gptgrid.plan
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


def describe_outputs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return file → sha256 and bytes for everything that a stage made, but what is volatile."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in VOLATILE)
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": file_digest(path),
            "bytes": path.stat().st_size,
        }
        for path in paths
    }


def peak_memory_mb() -> float:
    """Return the largest memory that this process had so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # Linux counts kilobytes, macOS bytes


def write_volatile(job: Job) -> None:
    """Write provenance.json and timing.csv beside the outputs."""
    facts = {**describe_environment(), "peak_memory_mb": peak_memory_mb(), **job.provenance}
    (job.folder / "provenance.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    with (job.folder / "timing.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "seconds"])
        writer.writerows((step, f"{seconds:.6f}") for step, seconds in job.timings.items())
