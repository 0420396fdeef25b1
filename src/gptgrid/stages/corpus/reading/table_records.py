"""The texts of a column of comma- or tab-separated values."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.documents import lines, pieces
from gptgrid.stages.corpus.reading.fields import MissingFieldError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between the fields of a csv file → what it is called."""
FIRST_LINES = 20
"""Lines that the separator is found from."""


def csv_texts(blocks: Iterator[str], name: str, field: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a column of comma-separated values; semicolons, tabs and bars are found out.

    Args:
        blocks: the table with LF line ends, in pieces of any length.
        name: what to call it.
        field: the name or the number of the column.
        facts: gets the `separator`, in a word.
    """
    csv.field_size_limit(sys.maxsize)
    every = lines(blocks)
    first = list(islice(every, FIRST_LINES))
    separator = separator_of(first, field)
    facts["separator"] = SEPARATORS[separator]
    if separator != ",":
        print(f"{name} is separated by {SEPARATORS[separator]}, and read so", flush=True)
    reader = csv.reader(chain(first, every), strict=True, delimiter=separator)
    del first
    rows = ((row, reader.line_num) for row in reader)
    try:
        yield from column_texts(rows, name, field)
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num} is no CSV ({error}); fix or convert it") from None


def separator_of(first: list[str], field: str) -> str:
    """Return what separates the fields of a table: a comma, where it makes columns or nothing else does.

    Args:
        first: its first lines.
        field: the name or the number of the column that is asked for.
    """
    widths = {}
    for separator in SEPARATORS:
        rows = [row for row in csv.reader(first, delimiter=separator) if row]
        if rows and field in rows[0] and not field.isdigit():
            return separator
        # The last line may break off inside quotes.
        same = len({len(row) for row in rows[:-1] or rows}) == 1
        widths[separator] = len(rows[0]) if rows and same else 0
    return "," if widths[","] > 1 or max(widths.values()) < 2 else max(widths, key=widths.get)


def tsv_texts(blocks: Iterator[str], name: str, field: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a column of tab-separated values, in which quotes mean nothing."""
    rows = ((line.split("\t"), number) for number, line in enumerate(pieces(blocks, "\n"), 1) if line)
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
        raise MissingFieldError(field, first, name)
    if first.count(field) > 1:
        raise UserError(f"{name} has {first.count(field)} columns {field!r}; rename those that are not meant")
    return first.index(field)
