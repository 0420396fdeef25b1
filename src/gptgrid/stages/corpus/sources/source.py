"""What every source gives: its documents, unchanged, one after the other as they are read.

What is dropped, and how text without published splits is cut, is decided later.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.text.documents import Document


@dataclass
class Source:
    """A source that is open."""

    parts: dict[str, Iterable[Document]]
    """`train`, `valid`, `test` as they were published, or `all`, which is still to be cut → documents."""
    facts: dict[str, Any]
    """For the manifest: what was read. Complete once the documents have been read."""
    license: str | None = None
    """Of the text, where it is known."""
    continuous: bool = False
    """Whether a split by position may end inside a document: a document is a whole file."""
    vocabulary: dict[str, Any] = field(default_factory=dict)
    """For documents of token ids: `vocab_size`, and `eot`. Empty for texts."""
    measure: Callable[[Path], dict[str, Any]] | None = None
    """Returns what only this source knows about the splits that were written to a folder."""

    @property
    def has_ids(self) -> bool:
        """Whether its documents are token ids."""
        return bool(self.vocabulary)


@dataclass(frozen=True)
class SourceFile:
    """A file on this machine."""

    path: Path
    facts: dict[str, Any]
    """For the manifest: `part`, `name`, `sha256`, `bytes`; completed while the file is read."""

    @classmethod
    def describe(cls, path: Path, part: str, name: str, sha256: str) -> "SourceFile":
        """Note what is known of a file before it is read, and say that it is read now."""
        size = path.stat().st_size
        print(f"reading {name}, {size:,} bytes", flush=True)
        return cls(path, {"part": part, "name": name, "sha256": sha256, "bytes": size})

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.facts["name"]


def own_file(job: Job, part: str, name: str) -> SourceFile:
    """Return a user's own file.

    Raises:
        UserError: it cannot be read, or changed after the plan was made.
    """
    return SourceFile.describe(job.own_file(name), part, name, job.raw[name])


def read_files(
    job: Job,
    locate: Callable[[Job, str, Any], SourceFile],
    read: Callable[[Job, Any, SourceFile], Iterator[Document]],
) -> tuple[dict[str, Iterable[Document]], dict[str, Any]]:
    """Return the parts and the facts of a source that is a list of files.

    Args:
        job: its `files` are part → entries.
        locate: (job, part, entry) → the file of an entry.
        read: (job, entry, file) → its documents.
    """
    facts: list[dict[str, Any]] = []

    def documents(part: str, entries: list[Any]) -> Iterator[Document]:
        for entry in entries:
            file = locate(job, part, entry)
            facts.append(file.facts)
            yield from read(job, entry, file)

    parts = {part: documents(part, entries) for part, entries in vars(job.config.files).items()}
    return parts, {"files": facts}
