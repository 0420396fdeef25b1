"""The texts of tables and lists of records: one field of each record, in order, whatever the size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import ENDINGS
from gptgrid.stages.corpus.reading.documents import pieces
from gptgrid.stages.corpus.reading.encoding import decode
from gptgrid.stages.corpus.reading.json_records import json_texts, jsonl_texts
from gptgrid.stages.corpus.reading.line_ends import counted, unify
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
NOTEBOOK = ".ipynb"


def format_of(name: str) -> str:
    """Return the format that the ending of a name says, leaving out `.gz` and the like; else `text`.

    Args:
        name: a file's, or its place in an archive; no address.

    Raises:
        UserError: it is a notebook.
    """
    ending = PurePath(ENDINGS.sub("", name)).suffix.lower()
    if ending == NOTEBOOK:
        raise UserError(
            f"{name} is a notebook, in which texts stand among settings and results; save it as a text "
            "(`jupyter nbconvert --to markdown`), leave it out (of an archive by `members`), or set "
            "`format: text` to train on all of it"
        )
    return FORMATS.get(ending, "text")


def read_records(
    stream: BinaryIO,
    name: str,
    file_format: str,
    field: str,
    encoding: str = "utf-8",
    scratch: Path | None = None,
    errors: str = "strict",
    facts: dict[str, Any] | None = None,
) -> Iterator[str]:
    """Yield one text a record, in order, with LF line ends; a field that is null gives the empty text.

    Args:
        stream: the content; it stays open.
        name: what a person calls it.
        file_format: `parquet`, `jsonl` (an object a line), `json` (a list of objects), `csv` (RFC 4180,
            quoted where need be), `tsv` (a record a line, tabs between its fields, quotes as in csv or
            none), or `text`: each line is a record, without its line end.
        field: the name of the field, `a.b` for a field in a field; in csv and tsv a number is the column,
            from 0, of a table without a header.
        encoding: of all but parquet, which needs none.
        scratch: where a parquet file that cannot be sought is kept meanwhile; default: the system's folder.
        errors: what happens to bytes that do not fit the encoding, as in `decode`.
        facts: gets what `decode` finds out, with the line ends inside the texts, and of csv the `separator`.

    Raises:
        UserError: a record has no such field, or it holds no text, or the content is not in the format.
    """
    facts = {} if facts is None else facts
    if file_format == "parquet":
        texts = parquet_texts(stream, name, field, scratch)
    else:
        texts = READERS[file_format](decode(stream, name, encoding, errors, facts), name, field, facts)
    ends = Counter()
    for text in texts:
        yield unify(text, ends) if "\r" in text else text
    ends["LF"] = 0  # those of a table were counted when it was decoded
    facts["line_ends"] = counted(ends + Counter(facts.get("line_ends")))


def line_texts(blocks: Iterator[str], name: str, field: str, facts: dict[str, Any]) -> Iterator[str]:
    """Return the lines of a text, which have no fields."""
    return pieces(blocks, "\n")


READERS: dict[str, Callable[[Iterator[str], str, str, dict[str, Any]], Iterator[str]]] = {
    "jsonl": jsonl_texts,
    "json": json_texts,
    "csv": csv_texts,
    "tsv": tsv_texts,
    "text": line_texts,
}
"""Format → reader: (text in blocks, name of the file, field, facts) → texts."""
