"""The texts of tables and lists of records: one field of each record, in order, whatever the size."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import BinaryIO, TextIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import ENDINGS
from gptgrid.stages.corpus.reading.json_records import json_texts, jsonl_texts
from gptgrid.stages.corpus.reading.parquet_records import parquet_texts
from gptgrid.stages.corpus.reading.table_records import csv_texts, tsv_texts

FORMATS = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
}
"""Ending of a name → format."""


def format_of(name: str) -> str:
    """Return the format that the ending of a name says, leaving out `.gz` and the like; else `text`."""
    return FORMATS.get(PurePath(ENDINGS.sub("", name.split("?")[0])).suffix.lower(), "text")


def read_records(
    stream: BinaryIO,
    name: str,
    file_format: str,
    field: str,
    encoding: str = "utf-8-sig",
    scratch: Path | None = None,
) -> Iterator[str]:
    """Yield one text a record, in order; a field that is null gives the empty text.

    Args:
        stream: the content; it stays open.
        name: what a person calls it.
        file_format: `parquet`, `jsonl` (an object a line), `json` (a list of objects), `csv` (RFC 4180,
            quoted where need be), `tsv` (a record a line, tabs between its fields, no quotes), or `text`:
            each line is a record, without its line end.
        field: the name of the field, `a.b` for a field in a field; in csv and tsv a number is the column,
            from 0, of a table without a header.
        encoding: of all but parquet, which needs none.
        scratch: where a parquet file that cannot be sought is kept meanwhile; default: the system's folder.

    Raises:
        UserError: a record has no such field, or it holds no text, or the content is not in the format.
    """
    if file_format == "parquet":
        return parquet_texts(stream, name, field, scratch)
    return decoded_texts(stream, name, file_format, field, encoding)


def decoded_texts(stream: BinaryIO, name: str, file_format: str, field: str, encoding: str) -> Iterator[str]:
    """Yield the texts of a format that is text itself."""
    lines = io.TextIOWrapper(stream, encoding=encoding, newline="" if file_format == "csv" else None)
    try:
        yield from READERS[file_format](lines, name, field)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not {encoding} ({error.reason}: byte {error.object[error.start]:#x}); "
            "give its `encoding`, or convert it"
        ) from None
    finally:
        if not stream.closed:
            lines.detach()  # so that the stream stays open for the caller


def line_texts(text: TextIO, name: str, field: str) -> Iterator[str]:
    """Yield the lines of a text, which have no fields."""
    return (line.removesuffix("\n") for line in text)


READERS: dict[str, Callable[[TextIO, str, str], Iterator[str]]] = {
    "jsonl": jsonl_texts,
    "json": json_texts,
    "csv": csv_texts,
    "tsv": tsv_texts,
    "text": line_texts,
}
"""Format → reader: (text, name of the file, field) → texts."""
