"""The whole way through this folder: a file's bytes → text or records → documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import LIMIT, open_members
from gptgrid.stages.corpus.reading.detection import detect
from gptgrid.stages.corpus.reading.documents import cut, documents_of_records
from gptgrid.stages.corpus.reading.encoding import decode
from gptgrid.stages.corpus.reading.given import check_given
from gptgrid.stages.corpus.reading.guessing import OLD
from gptgrid.stages.corpus.reading.line_ends import counted
from gptgrid.stages.corpus.reading.lookalikes import count_marks, look
from gptgrid.stages.corpus.reading.records import format_of, read_records
from gptgrid.text.documents import is_blank
from gptgrid.text.long_text import Text


@dataclass(frozen=True)
class Reading:
    """How a file is read; the fields are keys of the configuration."""

    members: list[str] | None
    format: str | None
    field: str | None
    """None where whole records are read."""
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

    def format_of(self, member: str, name: str) -> str:
        """Return the format of what a file holds: `text`, or one of records.

        Args:
            member: the name of what it holds, as `open_members` yields it.
            name: the file's, or its address.
        """
        inside = member.removeprefix(f"{name}/")
        return self.format or format_of(path_of(name) if inside == member else inside)


def read_texts(path: Path, facts: dict[str, Any], reading: Reading, scratch: Path) -> Iterator[Text]:
    """Yield the documents of a file, or of the members of an archive.

    Args:
        path: where it lies.
        facts: `name`, what a person calls it; what is found out about it is added at the end.
        reading: how it is read.
        scratch: folder for what must be kept meanwhile.

    Raises:
        UserError: the file is damaged, empty, or not what `reading` says.
    """
    name, blank, counts, marks = facts["name"], True, Counter(), Counter()
    encodings = find_encodings(path, name, reading, scratch)
    found = []
    members = open_members(path, name, reading.members, reading.max_bytes, scratch, counts)
    for (member, stream), encoding in zip(members, encodings, strict=True):
        found.append({"format": reading.format_of(member, name), **encoding})
        for document in read_member(stream, member, found[-1], reading, scratch, counts):
            blank = blank and is_blank(document)
            count_marks(document, marks)
            yield document
    facts |= summary(found, reading) | counts | ({"end_marks": dict(sorted(marks.items()))} if marks else {})
    if blank:
        raise UserError(f"{name} is empty; take it out of the corpus, or put text in it")


def find_encodings(path: Path, name: str, reading: Reading, scratch: Path) -> list[dict[str, Any]]:
    """Return the encoding of each member of a file, in their order; nothing of parquet, which has none.

    Guessing reads it, so it is opened again later. Names do not tell members apart: beside a text may lie
    another, packed, of the same name.
    """
    members = open_members(path, name, reading.members, reading.max_bytes, scratch)
    return [
        {} if reading.format_of(member, name) == "parquet" else find_encoding(stream, member, reading)
        for member, stream in members
    ]


def find_encoding(stream: BinaryIO, name: str, reading: Reading) -> dict[str, Any]:
    """Return the encoding of a text."""
    if reading.encoding == "auto":
        return detect(stream, name, reading.errors)
    return check_given(stream, name, reading.encoding, reading.errors)


def path_of(name: str) -> str:
    """Return the name of a file; of an address the path, without what follows `?` and `#`."""
    return urlsplit(name).path if "://" in name else name


def read_member(
    stream: BinaryIO,
    name: str,
    facts: dict[str, Any],
    reading: Reading,
    scratch: Path,
    counts: Counter[str],
) -> Iterator[Text]:
    """Return the documents of a file that is no archive.

    Args:
        stream: its content.
        name: what a person calls it.
        facts: `format`, and `encoding` but of parquet; what is found out is added at the end.
        reading: how it is read.
        scratch: folder for what must be kept meanwhile.
        counts: as in `cut`.
    """
    file_format, encoding = facts["format"], facts.get("encoding", "utf-8")
    if file_format != "text":
        records = read_records(
            stream, name, file_format, reading.field, encoding, scratch, reading.errors, facts
        )
        return documents_of_records(records, reading.document, counts, scratch)
    if reading.document == "record":
        raise UserError(
            f"{name} is a text, which has no records; set `document` to whole, line, blank-line or a "
            "delimiter, or `format` to what the file is"
        )
    blocks = decode(stream, name, encoding, reading.errors, facts)
    if reading.format is None:
        blocks = look(blocks, name, facts)
    return cut(blocks, reading.document or "blank-line", counts, scratch)


def summary(found: list[dict[str, Any]], reading: Reading) -> dict[str, Any]:
    """Return what is known of some texts, in few words: what there was → how often."""
    encoded = [facts for facts in found if "encoding" in facts]
    ends = sum((Counter(facts["line_ends"]) for facts in found), Counter())
    optional = {
        "separators": Counter(facts["separator"] for facts in found if "separator" in facts),
        "quotes": Counter(facts["quotes"] for facts in found if "quotes" in facts),
        "looks_like": Counter(facts["looks_like"] for facts in found if "looks_like" in facts),
        "doubted_guesses": Counter(
            pair_of(facts) for facts in found if "rival" in facts and facts["guessed"]
        ),
        "old_guesses": Counter(
            facts["encoding"] for facts in encoded if facts["guessed"] and facts["encoding"] in OLD
        ),
        "doubts": Counter(doubt for facts in found for doubt in facts.get("doubts", ())),
        "doubted_encodings": Counter(
            pair_of(facts) for facts in found if "rival" in facts and not facts["guessed"]
        ),
    }
    return {
        "formats": dict(sorted(Counter(facts["format"] for facts in found).items())),
        **({"field": reading.field} if reading.field and has_records(found) else {}),
        **{fact: dict(sorted(number.items())) for fact, number in optional.items() if number},
        "encodings": dict(sorted(Counter(facts["encoding"] for facts in encoded).items())),
        "guessed": sum(facts["guessed"] for facts in encoded),
        "marks": sum(facts["mark"] for facts in encoded),
        "line_ends": counted(ends),
        "replaced": sum(facts["replaced"] for facts in encoded),
    }


def has_records(found: list[dict[str, Any]]) -> bool:
    """Say whether some texts stand in records."""
    return any(facts["format"] != "text" for facts in found)


def pair_of(facts: dict[str, Any]) -> str:
    """Return the encoding that a text was read in, and the one that it may be in."""
    return f"{facts['encoding']} {facts['rival']}"
