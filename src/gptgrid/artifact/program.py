"""The main of a stage program: from a request to an artifact in the store, its receipt and its view.

    <stage>.py REQUEST

A program finds its inputs through their receipts, in the store. It works out the identity of the artifact
that is asked for, and either finds it in the store or builds it in `<identity>.partial/` and publishes it
there by one rename. What an artifact contains is the business of the stage.
"""

from __future__ import annotations

import argparse
import csv
import errno
import io
import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import OVERVIEWS, content_digest, digest, identity_of, namespace
from gptgrid.artifact.job import Build, Job, SourceCheck, peak_memory_mb
from gptgrid.artifact.manifest import MANIFEST, describe_outputs, read_manifest, write_manifest
from gptgrid.artifact.provenance import describe_environment
from gptgrid.artifact.receipt import Failure, Receipt
from gptgrid.artifact.request import Request
from gptgrid.artifact.store import Store, provenance_digest
from gptgrid.artifact.variants import Variants
from gptgrid.artifact.view import link_view, owners, view_lock
from gptgrid.words import counted, verb

AGAIN = "run the same command again"


def main(
    stage: str, load: Callable[[], Build], description: str | None, unread: tuple[str, ...] = ()
) -> None:
    """Run a stage program from the command line.

    Args:
        stage: what it makes.
        load: imports what builds an artifact and returns it. Not called for what the store has.
        description: of the program, for `--help`.
        unread: patterns of files of its inputs that it never reads, and so does not check.
    """
    options = parse(description)
    sys.stdout = Labelled(sys.stdout, options.name, options.log)
    sys.stderr = Labelled(sys.stderr, None, options.log)
    try:
        request = read_request(options.request)
        if request.stage != stage:
            raise UserError(f"the request is for {request.stage}, not for {stage}")
        store = Store(options.request.parents[2])
        Program(
            request,
            store,
            load,
            script=Path(sys.argv[0]).resolve(),
            unread=unread,
            receipt=options.receipt,
            name=options.name,
            view=options.view,
            run_section=options.run,
            threads=options.threads,
            again=options.again,
            record_failure=options.record_failure,
        ).run()
    except UserError as error:
        sys.exit(f"gptgrid: {options.name or stage}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(
            f"gptgrid: {options.name or stage}: the disk is full; make room, then the same command goes on"
        )


def record_kill(stage: str) -> int:
    """Record that this program was killed while another process ran it; return the exit code."""
    options = parse(None)
    if not options.record_failure:
        return 137
    reason = (
        "it was killed by signal 9, as the system does when memory runs out; lower training.micro_batch, or "
        "the model's context, d_model or n_layer, or run fewer programs at once (--cores)"
    )
    failure = Failure(options.name or stage, reason)
    print(f"gptgrid: {failure.name}: {failure.reason}", file=sys.stderr)
    receipt = Receipt(stage, options.request.stem, failure=failure)
    Store(options.request.parents[2]).write_receipt(receipt, options.receipt)
    return 0


def parse(description: str | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("request", type=Path, help="request file, <store>/requests/<stage>/<key>.json")
    parser.add_argument("--receipt", type=Path, help="where to write the receipt, too")
    parser.add_argument("--name", default="", help="what the artifact is called in messages")
    parser.add_argument("--view", type=Path, help="folder that is to show the artifact")
    parser.add_argument("--log", type=Path, help="file to append all messages to")
    parser.add_argument(
        "--run", type=json.loads, default={}, help="the configuration's section `run`, as JSON"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads, where they change no result")
    parser.add_argument(
        "--again", action="store_true", help="make it again and compare with what the store has"
    )
    parser.add_argument(
        "--record-failure",
        action="store_true",
        help="if it cannot be made, write a receipt that says so, and end well: the rest of a run goes on",
    )
    return parser.parse_args()


def read_request(path: Path) -> Request:
    """Return the request in a file.

    Raises:
        UserError: there is none, or it is damaged.
    """
    try:
        request = Request.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: snakemake writes it when it starts; {AGAIN}") from None
    except ValueError:
        request = None
    if request is None or request.key != path.stem:
        raise UserError(f"{path} is damaged; {AGAIN}")
    return request


class Labelled(io.TextIOBase):
    """A stream that puts a label before each line, as several programs print to one terminal, and logs."""

    def __init__(self, stream: TextIO, label: str | None, log: Path | None = None) -> None:
        """Write to a stream, and append to a log."""
        self.stream, self.label = stream, label
        self.at_start = True
        self.log: TextIO | None = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            self.log = log.open("a", encoding="utf-8")

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            self.stream.write(f"{self.label}: {line}" if self.label and self.at_start else line)
            self.at_start = line.endswith("\n")
        if self.log is not None:
            self.log.write(text)
            self.log.flush()
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()


@dataclass
class Program:
    """One run of a stage program."""

    request: Request
    store: Store
    load: Callable[[], Build]
    script: Path
    unread: tuple[str, ...] = ()
    receipt: Path | None = None
    name: str = ""
    view: Path | None = None
    run_section: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    again: bool = False
    record_failure: bool = False
    seconds_of_checks: float = 0.0
    """What reading and hashing the inputs took."""
    checked: dict[str, dict[str, list[int] | None]] = field(default_factory=dict)
    """Identity of an input → stamps of its files when they were found whole."""
    difference: str | None = None
    """How what was made again differs from what the store has."""

    def run(self) -> None:
        """Make the artifact, unless it is there; write its receipt and show it.

        Raises:
            UserError: something that a person can mend, and the failure is not to be recorded.
        """
        request, start = self.request, time.perf_counter()
        inputs = self.receipts_of_inputs()
        self.seconds_of_checks = time.perf_counter() - start
        failures = {name: made.failure for name, made in inputs.items() if made.failure}
        if failures and request.stage not in OVERVIEWS and not request.partial:
            name, failure = next(iter(failures.items()))
            print(f"not made, as its {name} could not be made: {failure.name}", flush=True)
            self.finish(Receipt(request.stage, request.key, failure=failure))
            return
        digests = digests_of(inputs, request)
        identity = identity_of(request.stage, request.slice, request.source, digests)
        old = self.store.receipt(request.stage, request.key)
        if old and old.made_from == digest(digests) and not self.again and self.is_whole(old):
            self.finish(old)
            return
        self.source.check()
        with self.store.lock(request.stage, identity):
            if self.is_in_store(identity) and not self.again:
                print(f"restored: {request.stage} {identity[:12]} was in the store", flush=True)
            elif failure := self.make(identity, inputs, digests):
                self.finish(Receipt(request.stage, request.key, failure=failure))
                return
            made = self.store.make_receipt(
                request.stage, request.key, identity, digest(digests), incomplete=bool(failures)
            )
            if self.difference:
                raise UserError(self.difference)
            self.finish(made)  # under the lock: whoever prunes takes what has no receipt

    def is_whole(self, receipt: Receipt) -> bool:
        """Say whether a receipt stands for an artifact that is whole and complete."""
        if not receipt.identity or receipt.incomplete or self.store.damage(receipt):
            return False
        folder = self.store.folder(receipt.stage, receipt.identity)
        return content_digest(read_manifest(folder)) == receipt.content

    def receipts_of_inputs(self) -> dict[str, Receipt]:
        """Return the receipts of the inputs, after checking that the artifacts are whole.

        Raises:
            UserError: one is missing or damaged; it is set aside, so that the next run makes it again.
        """
        found: dict[str, Receipt] = {}
        for name, (stage, key) in self.request.inputs.items():
            receipt = self.store.awaited_receipt(stage, key)
            if receipt is None:
                raise UserError(f"the receipt of its {name} is missing from {self.store.root}; {AGAIN}")
            if receipt.identity:
                self.check_input(receipt)
            found[name] = receipt
        return found

    def check_inputs(self, inputs: dict[str, Receipt]) -> None:
        """Refuse a result that was made from something that was damaged while it was read.

        Raises:
            UserError: an input is damaged; it is set aside.
        """
        for made in inputs.values():
            if made.identity and self.store.stamps(made) != self.checked.get(made.identity):
                self.check_input(made)

    def check_input(self, receipt: Receipt) -> None:
        """Set a damaged artifact aside.

        Raises:
            UserError: it is damaged.
        """
        self.checked[receipt.identity] = self.store.stamps(receipt)
        self.store.refuse_damage(receipt, AGAIN, self.unread)

    def is_in_store(self, identity: str) -> bool:
        """Say whether the store has the artifact, whole; a damaged one is set aside."""
        stage = self.request.stage
        if not self.store.has(stage, identity):
            return False
        whole = Receipt(stage, self.request.key, identity)
        if damage := self.store.damage(whole):
            self.store.set_aside(stage, identity, damage)
            return False
        return True

    @property
    def source(self) -> SourceCheck:
        """Return what knows the source of the plan."""
        return SourceCheck(str(self.script), self.request.variants, self.request.source)

    def make(self, identity: str, inputs: dict[str, Receipt], digests: dict[str, str]) -> Failure | None:
        """Build the artifact and publish it; return why that failed, if that is to be recorded."""
        try:
            self.build(identity, inputs, digests)
        except UserError as error:
            if not self.record_failure:
                raise
            reason = str(error)
            print(f"gptgrid: {self.name or self.request.stage}: {error}", file=sys.stderr, flush=True)
        except OSError as error:
            if error.errno == errno.ENOSPC or not self.record_failure:
                raise
            reason = self.unexpected(error)
        except Exception as error:
            if not self.record_failure:
                raise
            reason = self.unexpected(error)
        else:
            return None
        return Failure(self.name or f"{self.request.stage} {self.request.key[:12]}", reason)

    @staticmethod
    def unexpected(error: Exception) -> str:
        """Print an error that nobody foresaw, and return it as a sentence."""
        traceback.print_exc()
        return f"{type(error).__name__}: {error}".strip()

    def build(self, identity: str, inputs: dict[str, Receipt], digests: dict[str, str]) -> None:
        """Build the artifact in its partial folder and publish it in the store."""
        request, store = self.request, self.store
        partial = store.partial(request.stage, identity)
        with store.writing():
            job = self.job(partial, inputs)
        build = self.load()
        self.source.check()  # of what was just imported
        with job.timing("total"), Variants.covering(request.variants):
            facts = build(job)
        # What was read is what was asked for, and no edit in the meantime.
        for name in request.raw:
            job.own_file(name)
        self.check_inputs(inputs)
        if request.stage in OVERVIEWS:
            facts["identities"] = sorted({made.identity for made in inputs.values() if made.identity})
        write_volatile(job)
        manifest = {
            "stage": request.stage,
            "identity": identity,
            "config": request.slice,
            "source": request.source,
            "inputs": digests,
            "outputs": describe_outputs(job.folder),
            "facts": facts,
        }
        write_manifest(job.folder, manifest)
        if self.again and self.is_in_store(identity):
            self.difference = self.compare_with_store(job.folder, identity)
        else:
            store.publish(job.folder, request.stage, identity)
            print(f"made: {request.stage} {identity[:12]}", flush=True)
        shutil.rmtree(partial)

    def job(self, partial: Path, inputs: dict[str, Receipt]) -> Job:
        """Return what the build function works with."""
        job = Job(
            config=namespace(self.request.config),
            inputs={
                name: self.store.folder(made.stage, made.identity)
                for name, made in inputs.items()
                if made.identity
            },
            failed={name: f"{m.failure.name}: {m.failure.reason}" for name, m in inputs.items() if m.failure},
            accepted={name: made.accepted for name, made in inputs.items() if made.accepted},
            doubtful={
                name
                for name, made in inputs.items()
                if made.identity
                and provenance_digest(self.store.folder(made.stage, made.identity)) != made.provenance
            },
            source=self.source,
            folder=partial / "artifact",
            scratch=partial / "scratch",
            run=namespace({**self.request.run, **self.run_section}),
            raw=self.request.raw,
            threads=self.threads,
        )
        job.timings["check"] = self.seconds_of_checks
        if self.again:
            shutil.rmtree(partial, ignore_errors=True)
        job.folder.mkdir(parents=True, exist_ok=True)
        job.scratch.mkdir(exist_ok=True)
        (job.folder / MANIFEST).unlink(missing_ok=True)
        return job

    def compare_with_store(self, folder: Path, identity: str) -> str | None:
        """Return how what was made again differs from what the store has, which stays; None if not at all."""
        stage = self.request.stage
        stored, made = (
            read_manifest(place)["outputs"] for place in (self.store.folder(stage, identity), folder)
        )
        differing = sorted(name for name in stored.keys() | made.keys() if stored.get(name) != made.get(name))
        if not differing:
            files = counted(len(made), "file")
            print(f"made again: {stage} {identity[:12]}, the same bits ({files})", flush=True)
            return None
        aside = self.store.folder(stage, f"{identity}.again")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        return (
            f"made again, and {len(differing)} of {counted(len(made), 'file')} "
            f"{verb(len(differing), 'have')} other bits: {', '.join(differing)}. The store keeps the first; "
            f"the second lies in {aside}. `gptgrid verify` says what differs"
        )

    def finish(self, receipt: Receipt) -> None:
        """Write a receipt, last of all, and show the artifact."""
        if receipt.failure and not self.record_failure:
            raise UserError(f"{receipt.failure.name} could not be made: {receipt.failure.reason}")
        if receipt.identity and self.view is not None:
            with view_lock():
                # A newer run may have another artifact there.
                if owners().get(str(self.view), receipt.key) == receipt.key:
                    link_view(self.store, receipt.stage, receipt.identity, self.view)
            # A link that is made changes a date.
            receipt = replace(receipt, files=self.store.stamps(receipt))
        self.store.write_receipt(receipt, self.receipt)


def digests_of(inputs: dict[str, Receipt], request: Request) -> dict[str, str]:
    """Return what an identity takes from the inputs of an artifact: name → digest."""
    overview = request.stage in OVERVIEWS
    return {**{name: made.digest_for(overview) for name, made in inputs.items()}, **request.raw}


def write_volatile(job: Job) -> None:
    """Write provenance.json and timing.csv beside the outputs."""
    facts = {**describe_environment(), "peak_memory_mb": peak_memory_mb(), **job.provenance}
    if job.accepted:
        facts["accepted"] = job.accepted
    (job.folder / "provenance.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    with (job.folder / "timing.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "seconds"])
        writer.writerows((step, f"{seconds:.6f}") for step, seconds in job.timings.items())
