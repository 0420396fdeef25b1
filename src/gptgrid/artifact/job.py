"""What the `build` function of a stage works with."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.fingerprint import fingerprint, forget
from gptgrid.artifact.manifest import read_manifest, read_provenance


@dataclass(frozen=True)
class SourceCheck:
    """The source that a program had when the plan was made."""

    script: str
    """Path of the program."""
    variants: list[str]
    """Names of the configuration that choose from tables of variants."""
    fingerprint: str

    def check(self) -> None:
        """Refuse to run another source; call it after the imports and before the work.

        Raises:
            UserError: it changed.
        """
        forget()
        path = Path(self.script)
        if fingerprint(path, self.variants) != self.fingerprint:
            raise UserError(
                f"the source of {path.name}, or of a module that it imports, changed after the plan was "
                "made; run the same command again"
            )


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
    failed: dict[str, str] = field(default_factory=dict)
    """Name of an input that could not be made → the reason, in a sentence. Only `compare`, `report` and
    requests that are `partial` are started with such inputs; they are not among `inputs`."""
    accepted: dict[str, str] = field(default_factory=dict)
    """Name of an input that an older source made, and that a person accepted → a sentence about that."""
    doubtful: set[str] = field(default_factory=set)
    """Names of inputs whose provenance is not as it was written."""
    source: SourceCheck | None = None
    """For stages that start processes, which import the source anew; None where no program asks."""
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
        """Return the volatile facts of an input; empty if they were not kept, or were changed since."""
        return {} if name in self.doubtful else read_provenance(self.inputs[name])

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


def peak_memory_mb() -> float:
    """Return the largest memory that this process had so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # Linux counts kilobytes, macOS bytes
