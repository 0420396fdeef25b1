"""What every source gives: its documents, unchanged, one after the other as they are read.

What is dropped, and how text without published splits is cut, is decided later.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.reading.documents import DELIMITERS, check_delimiter
from gptgrid.stages.corpus.reading.fields import check_field
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


@dataclass(frozen=True)
class Pinned:
    """A file, or what is taken from it, in a split."""

    part: str
    name: str
    sha256: str
    members: tuple[str, ...] | None = None
    """Patterns of what is taken of an archive; None: all."""
    field: str | None = None
    """Of records."""

    @classmethod
    def of(cls, job: Job, part: str, entry: Any) -> "Pinned":
        """Return an entry of a list of files: the name of a user's own, or a file on the web."""
        if isinstance(entry, str):
            return cls(part, entry, job.raw[entry])
        members = None if entry.members is None else tuple(entry.members)
        return cls(part, entry.url, entry.sha256, members, entry.field)

    def shares(self, other: "Pinned") -> bool:
        """Say whether another, of the same file, has some of the same text."""
        apart = self.members and other.members and set(self.members).isdisjoint(other.members)
        return self.field == other.field and not apart


def refuse_shared(files: Iterable[Pinned]) -> None:
    """Refuse a file in two splits: a figure on text that was trained on would look like one on new text.

    Raises:
        UserError: there is one, or one that a split has twice.
    """
    same: dict[str, list[Pinned]] = {}
    for file in files:
        same.setdefault(file.sha256, []).append(file)
    for one, other in chain.from_iterable(combinations(group, 2) for group in same.values()):
        if not one.shares(other):
            continue
        if one.part == other.part and one.name == other.name:
            raise UserError(f"{one.name} is in {one.part} twice; leave one")
        if one.part != other.part:
            copy = "" if one.name == other.name else f", as {other.name},"
            raise UserError(
                f"{one.name} is in {one.part} and{copy} in {other.part} too: figures on {other.part} would "
                f"not be those on new text; take it out of one, or leave `{other.part}` out, which is then "
                "cut off"
            )


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

    Raises:
        UserError: a file stands in two splits; later, that the delimiter of documents stands nowhere, or no
            file has fields.
    """
    refuse_shared(
        Pinned.of(job, part, entry) for part, entries in vars(job.config.files).items() for entry in entries
    )
    facts: list[dict[str, Any]] = []

    def documents(part: str, entries: list[Any]) -> Iterator[Document]:
        for entry in entries:
            file = locate(job, part, entry)
            facts.append(file.facts)
            yield from read(job, entry, file)
        found = sum(file.get(DELIMITERS, 0) for file in facts if file["part"] == part)
        check_delimiter(vars(job.config).get("document"), found, part)
        if part in ("train", "all"):  # which are read last
            check_field(fields_of(job), {name for file in facts for name in file.get("formats", ())})

    parts = {part: documents(part, entries) for part, entries in vars(job.config.files).items()}
    return parts, {"files": facts}


def fields_of(job: Job) -> set[str]:
    """Return the fields that the configuration names, for all files or for some."""
    entries = [entry for part in vars(job.config.files).values() for entry in part]
    named = [vars(job.config).get("field"), *(getattr(entry, "field", None) for entry in entries)]
    return {field for field in named if field}
