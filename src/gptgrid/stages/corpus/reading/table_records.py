"""The texts of a column of comma- or tab-separated values."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from typing import TextIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.fields import missing_field


def csv_texts(text: TextIO, name: str, field: str) -> Iterator[str]:
    """Yield the texts of a column of comma-separated values."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(text, strict=True)
    rows = ((row, reader.line_num) for row in reader)
    try:
        yield from column_texts(rows, name, field)
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num} is no CSV ({error}); fix or convert it") from None


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
                f"{name}, line {line} has {len(row)} fields, but the first row has {width}; fix it"
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
        raise missing_field(field, first, name)
    return first.index(field)
