"""The texts of tables and lists of records: one field of each, one after the other, whatever the size."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, BinaryIO, TextIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import ENDINGS, seekable

FORMS = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
}
"""Ending of a name → form."""
ROWS = 1024
"""Rows of a parquet file in memory at a time."""
PIECE = 2**16
"""Characters of a JSON list that are read at a time."""


def form_of(name: str) -> str:
    """Return the form that the ending of a name says, leaving out `.gz` and the like; else `text`."""
    return FORMS.get(PurePath(ENDINGS.sub("", name.split("?")[0])).suffix.lower(), "text")


def read_records(
    stream: BinaryIO | Path,
    name: str,
    form: str,
    field: str,
    encoding: str = "utf-8-sig",
    scratch: Path | None = None,
) -> Iterator[str]:
    """Yield one text a record, in order; a field that is null gives the empty text.

    Args:
        stream: the content.
        name: what a person calls it.
        form: `parquet`, `jsonl` (an object a line), `json` (a list of objects), `csv` (RFC 4180, quoted where
            need be), `tsv` (a record a line, tabs between its fields, no quotes), or `text`: each line is a
            record, without its line end.
        field: the name of the field, `a.b` for a field in a field; in csv and tsv a number is the column,
            from 0, of a table without a header.
        encoding: of all but parquet, which needs none.
        scratch: where a parquet file that comes as a stream is kept meanwhile; default: the system's folder.

    Raises:
        UserError: a record has no such field, or it holds no text, or the content is no such form.
    """
    if form == "parquet":
        yield from parquet_texts(stream, name, field, scratch)
        return
    reader = {"jsonl": jsonl_texts, "json": json_texts, "csv": csv_texts, "tsv": tsv_texts}.get(form)
    with opened(stream) as file:
        text = io.TextIOWrapper(file, encoding=encoding, newline="" if form == "csv" else None)
        try:
            if reader is None:
                yield from (line.removesuffix("\n") for line in text)
            else:
                yield from reader(text, name, field)
        except UnicodeDecodeError as error:
            raise UserError(
                f"{name} is not {encoding} ({error.reason}: byte {error.object[error.start]:#x}); "
                "give its `encoding`, or convert it"
            ) from None
        finally:
            if not file.closed:
                text.detach()  # so that it stays open for who opened it


@contextmanager
def opened(stream: BinaryIO | Path) -> Iterator[BinaryIO]:
    """Give the content of a path; what is a stream already stays as it is."""
    if isinstance(stream, Path):
        with stream.open("rb") as file:
            yield file
    else:
        yield stream


def value_of(record: Any, field: str, where: str) -> str:
    """Return the text of a field; the whole of a dotted name may be a key, too.

    Raises:
        UserError: there is none.
    """
    value = record
    for key in [field] if isinstance(record, dict) and field in record else field.split("."):
        if not isinstance(value, dict):
            raise UserError(f"{where} is {kind(value)}, not an object with the field {field!r}")
        if key not in value:
            raise missing(field, list(value), where)
        value = value[key]
        if value is None:
            return ""
    if not isinstance(value, str):
        raise UserError(f"{where}: the field {field!r} is {kind(value)}, not a text; choose another `field`")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{where}: the field {field!r} has half a character (a lone surrogate); mend it"
        ) from None
    return value


def missing(field: str, there: list[str], where: str) -> UserError:
    """Return what to say about a field that is not there."""
    return UserError(f"{where} has no field {field!r}; it has {', '.join(there)}; set `field`")


def kind(value: Any) -> str:
    """Return what a value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)


# ----------------------------------------------------------------------------------------- parquet


def parquet_texts(stream: BinaryIO | Path, name: str, field: str, scratch: Path | None) -> Iterator[str]:
    """Yield the texts of a parquet file; memory is that of a page and of ROWS rows."""
    import pyarrow as pa
    from pyarrow import parquet

    with opened(stream) as file, seekable(file, scratch) as source:
        try:
            file = parquet.ParquetFile(source, pre_buffer=False, buffer_size=2**20)
            there = [file.schema.column(i).path for i in range(len(file.schema))]
            if field not in there:
                raise missing(field, there, name)
            row = 0
            for batch in file.iter_batches(ROWS, columns=[field]):
                for value in batch.column(0).to_pylist():
                    row += 1
                    yield value_of({batch.schema.names[0]: value}, field, f"{name}, row {row}")
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{name} is not a sound parquet file ({error}); fetch it again") from None


# -------------------------------------------------------------------------------------------- JSON


def jsonl_texts(text: TextIO, name: str, field: str) -> Iterator[str]:
    """Yield the texts of JSON lines; blank lines are none."""
    for number, line in enumerate(text, 1):
        if line.strip():
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise UserError(f"{name}, line {number} is no JSON ({error})") from None
            yield value_of(record, field, f"{name}, line {number}")


def json_texts(text: TextIO, name: str, field: str) -> Iterator[str]:
    """Yield the texts of a JSON list of objects; only one object is in memory at a time.

    A file that starts with an object instead has an object a line, as many call `.json`.
    """
    window = Window(text, name)
    if window.next() == "{":
        yield from jsonl_texts(window.lines(), name, field)
        return
    window.expect("[")
    number = 0
    while window.next() != "]":
        if number:
            window.expect(",")
        record, line = window.value()
        number += 1
        yield value_of(record, field, f"{name}, record {number}, which starts in line {line},")
    window.expect("]")
    if window.next():
        raise window.wrong("the end")


class Window:
    """The part of a JSON text that is in memory."""

    decoder = json.JSONDecoder()

    def __init__(self, text: TextIO, name: str) -> None:
        self.text, self.name = text, name
        self.buffer, self.start, self.line = "", 0, 1

    def next(self) -> str:
        """Go to the next character that is no blank, and return it; at the end, the empty text."""
        while True:
            end = re.compile(r"[ \t\r\n]*").match(self.buffer, self.start).end()
            self.go(end)
            if end < len(self.buffer):
                return self.buffer[end]
            if not self.more(PIECE):
                return ""

    def go(self, end: int) -> None:
        """Go to a place in the buffer."""
        self.line += self.buffer.count("\n", self.start, end)
        self.start = end

    def more(self, size: int) -> bool:
        """Read on; return whether there was something."""
        piece = self.text.read(size)
        self.buffer, self.start = self.buffer[self.start :] + piece, 0
        return bool(piece)

    def expect(self, character: str) -> None:
        """Go past a character.

        Raises:
            UserError: there is another.
        """
        if self.next() != character:
            raise self.wrong(character)
        self.go(self.start + 1)

    def value(self) -> tuple[Any, int]:
        """Go past a value; return it with the number of the line in which it starts."""
        self.next()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.start)
            except json.JSONDecodeError as error:
                # Text that is cut off fails at its end, or at the start of its last string.
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.buffer) - 16
                if not cut or not self.more(max(PIECE, len(self.buffer))):
                    self.go(min(error.pos, len(self.buffer)))
                    raise UserError(f"{self.name}, line {self.line} is no JSON ({error.msg})") from None
            except RecursionError:
                raise UserError(f"{self.name}, line {self.line} is nested too deeply") from None
            else:
                line = self.line
                self.go(end)
                return value, line

    def lines(self) -> Iterator[str]:
        """Yield the lines from here on, after blank ones for those before, so that numbers are right."""
        read = "\n" * (self.line - 1) + self.buffer[self.start :] + self.text.readline()
        yield from io.StringIO(read)
        yield from self.text

    def wrong(self, expected: str) -> UserError:
        """Return what to say about something else than what was expected."""
        found = self.next()
        return UserError(
            f"{self.name}, line {self.line} is no JSON list of objects: expected {expected}, found "
            f"{found or 'the end'}"
        )


# ------------------------------------------------------------------------------------------ tables


def csv_texts(text: TextIO, name: str, field: str) -> Iterator[str]:
    """Yield the texts of a column of comma-separated values."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(text, strict=True)
    rows = ((row, reader.line_num) for row in reader)
    try:
        yield from column_texts(rows, name, field)
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num} is no CSV ({error}); mend or convert it") from None


def tsv_texts(text: TextIO, name: str, field: str) -> Iterator[str]:
    """Yield the texts of a column of tab-separated values, in which quotes mean nothing."""
    rows = (
        (line.removesuffix("\n").split("\t"), number)
        for number, line in enumerate(text, 1)
        if line.strip("\n")
    )
    yield from column_texts(rows, name, field)


def column_texts(rows: Iterator[tuple[list[str], int]], name: str, field: str) -> Iterator[str]:
    """Yield one cell a row; each row must have as many as the first."""
    width = 0
    for row, line in rows:
        if not row:
            continue
        if not width:
            width = len(row)
            column = column_of(row, name, field)
            if not field.isdigit():
                continue
        if len(row) != width:
            raise UserError(
                f"{name}, line {line} has {len(row)} fields, but the first row has {width}; mend it"
            )
        yield row[column]


def column_of(first: list[str], name: str, field: str) -> int:
    """Return which column of a table is meant."""
    if field.isdigit():
        if int(field) >= len(first):
            raise UserError(
                f"{name} has {len(first)} columns, so that the last is {len(first) - 1}, not {field}"
            )
        return int(field)
    if field not in first:
        raise missing(field, first, name)
    return first.index(field)
