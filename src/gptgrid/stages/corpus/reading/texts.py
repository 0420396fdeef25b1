"""The whole way through this folder: a file's bytes → text or records → documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import LIMIT, open_members
from gptgrid.stages.corpus.reading.documents import cut, documents_of_records
from gptgrid.stages.corpus.reading.encoding import decode, detect
from gptgrid.stages.corpus.reading.records import format_of, read_records


@dataclass(frozen=True)
class Reading:
    """How a file is read; the fields are keys of the configuration."""

    members: list[str] | None
    format: str | None
    field: str
    encoding: str
    errors: str
    document: str | None
    max_bytes: int

    @classmethod
    def of(cls, config: SimpleNamespace, entry: SimpleNamespace) -> Reading:
        """Return how a corpus reads a file, of which `entry` has `members`, `format` and `field`."""
        return cls(
            members=entry.members,
            format=entry.format,
            field=entry.field or "text",
            encoding=config.encoding,
            errors=config.errors,
            document=config.document,
            max_bytes=config.max_bytes or LIMIT,
        )

    def format_of(self, name: str) -> str:
        """Return the format of a file or a member: `text`, or one of records."""
        return self.format or format_of(name)


def read_texts(path: Path, facts: dict[str, Any], reading: Reading, scratch: Path) -> Iterator[str]:
    """Yield the documents of a file, or of the members of an archive.

    Args:
        path: where it lies.
        facts: `name`, what a person calls it; what is found out about encodings is added at the end.
        reading: how it is read.
        scratch: folder for what must be kept meanwhile.

    Raises:
        UserError: the file is damaged, empty, or not what `reading` says.
    """
    name, blank = facts["name"], True
    encodings = find_encodings(path, name, reading, scratch)
    for member, stream in open_members(path, name, reading.members, reading.max_bytes, scratch):
        for document in read_member(stream, member, encodings, reading, scratch):
            blank = blank and (not document or document.isspace())
            yield document
    if encodings:
        facts.update(summary(list(encodings.values())))
    if blank:
        raise UserError(f"{name} is empty; take it out of the corpus, or put text in it")


def find_encodings(path: Path, name: str, reading: Reading, scratch: Path) -> dict[str, dict[str, Any]]:
    """Return name → encoding of the texts in a file. Guessing reads them, so they are opened again later."""
    return {
        member: {"encoding": reading.encoding, "guessed": False}
        if reading.encoding != "auto"
        else detect(stream, member)
        for member, stream in open_members(path, name, reading.members, reading.max_bytes, scratch)
        if reading.format_of(member) == "text"
    }


def read_member(
    stream: BinaryIO, name: str, encodings: dict[str, dict[str, Any]], reading: Reading, scratch: Path
) -> Iterator[str]:
    """Return the documents of a file that is no archive."""
    file_format = reading.format_of(name)
    if file_format != "text":
        encoding = "utf-8-sig" if reading.encoding == "auto" else reading.encoding
        records = read_records(stream, name, file_format, reading.field, encoding, scratch)
        return documents_of_records(records, reading.document)
    if reading.document == "record":
        raise UserError(
            f"{name} is a text, which has no records; set `document` to whole, line, blank-line or a "
            "delimiter, or `format` to what the file is"
        )
    facts = encodings[name]
    blocks = decode(stream, name, facts["encoding"], reading.errors, facts)
    return cut(blocks, reading.document or "blank-line")


def summary(encodings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is known of the encodings of some texts, in few words."""
    return {
        "encodings": dict(sorted(Counter(facts["encoding"] for facts in encodings).items())),
        "guessed": sum(facts["guessed"] for facts in encodings),
        "line_ends": sorted({end for facts in encodings for end in facts["line_ends"]}),
        "replaced": sum(facts["replaced"] for facts in encodings),
    }
