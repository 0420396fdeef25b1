"""The texts of a column of comma- or tab-separated values."""

from __future__ import annotations

import csv
import re
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
NAMED = re.compile(r'"?sep=(?P<separator>[,;\t|])"?\n')
"""The first line with which Excel is told the separator."""
FIELD_IN_QUOTES = re.compile(r'(?:^|\t)"')
WINDOW_LINES, WINDOW_SIZE = 1000, 2**20
"""Lines, or characters, from the first field that begins with a quote on, that tell what quotes are."""


def csv_texts(blocks: Iterator[str], name: str, field: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a column of comma-separated values; semicolons, tabs and bars are found out.

    Args:
        blocks: the table with LF line ends, in pieces of any length.
        name: what to call it.
        field: the name or the number of the column.
        facts: gets the `separator`, in a word.

    Raises:
        UserError: it is no such table, or two separators make columns of it.
    """
    csv.field_size_limit(sys.maxsize)
    every = lines(blocks)
    first = list(islice(every, FIRST_LINES))
    named = NAMED.fullmatch(first[0]) if first else None
    before = 1 if named else 0
    separator = named["separator"] if named else separator_of(first, name, field)
    facts["separator"] = SEPARATORS[separator]
    if separator != ",":
        print(f"{name} is separated by {SEPARATORS[separator]}, and read so", flush=True)
    reader = csv.reader(chain(first[before:], every), strict=True, delimiter=separator)
    del first
    rows = ((row, before + reader.line_num) for row in reader)
    try:
        yield from column_texts(rows, name, field)
    except csv.Error as error:
        raise UserError(
            f"{name}, line {before + reader.line_num} is no CSV ({error}); fix or convert it"
        ) from None


def separator_of(first: list[str], name: str, field: str) -> str:
    """Return what separates the fields of a table: a comma, where nothing makes columns.

    Args:
        first: its first lines.
        name: what to call it.
        field: the name or the number of the column that is asked for.

    Raises:
        UserError: it has no header, and two separators make such a column in every line.
    """
    widths = {}
    for separator in SEPARATORS:
        rows = rows_of(first, separator)
        if rows and field in rows[0] and not field.isdigit():
            return separator
        widths[separator] = width_of(rows)
    if field.isdigit():
        making = [separator for separator, width in widths.items() if width > max(1, int(field))]
        if len(making) > 1:
            names = " or ".join(SEPARATORS[separator] for separator in making)
            raise UserError(
                f"{name} may be separated by {names}: each makes the same columns in every line; "
                f"put a line `sep={making[-1]}` (or the other) before them, or give it a header and set "
                "`field` to the name of the column"
            )
        if making:
            return making[0]
    return "," if widths[","] > 1 or max(widths.values()) < 2 else max(widths, key=widths.get)


def rows_of(first: list[str], separator: str) -> list[list[str]]:
    """Return the rows that a separator makes of the first lines, up to one that has no right quotes.

    The last of many lines may break off inside quotes.
    """
    rows, reader = [], csv.reader(first, delimiter=separator, strict=True)
    try:
        rows.extend(row for row in reader if row)
    except csv.Error:
        if reader.line_num < len(first):
            rows.append([])
    return rows[:-1] if len(first) >= FIRST_LINES and rows and rows[-1] else rows


def width_of(rows: list[list[str]]) -> int:
    """Return how many fields each row has; 0 if some have others."""
    widths = {len(row) for row in rows}
    return widths.pop() if len(widths) == 1 else 0


def tsv_texts(blocks: Iterator[str], name: str, field: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a column of tab-separated values.

    Quotes around fields are those of Excel and pandas, and are taken off, if every field that begins with one
    is quoted as in CSV; otherwise they are text.

    Args:
        blocks: the table with LF line ends, in pieces of any length.
        name: what to call it.
        field: the name or the number of the column.
        facts: gets, where fields begin with quotes, which `quotes` they are: `quoted` or `literal`.

    Raises:
        UserError: it is no such table, or quotes far down are others than the first ones.
    """
    yield from column_texts(tsv_rows(pieces(blocks, "\n"), name, facts), name, field)


def tsv_rows(every: Iterator[str], name: str, facts: dict[str, Any]) -> Iterator[tuple[list[str], int]]:
    """Yield the rows of tab-separated values with the numbers of their lines."""
    width, number, first = 0, 0, ""
    for number, line in enumerate(every, 1):
        if FIELD_IN_QUOTES.search(line):
            first = line
            break
        if line:
            row = line.split("\t")
            width = width or len(row)
            yield row, number
    if not first:
        return
    window, size = [first], len(first)
    for line in every:
        window.append(line)
        size += len(line)
        if len(window) >= WINDOW_LINES or size >= WINDOW_SIZE:
            break
    more = next(every, None)
    rest = chain(window, () if more is None else (more,), every)
    if not are_quoted(window, width, more is not None):
        facts["quotes"] = "literal"
        print(f"{name} has quotes at the start of fields that are text, and is read so", flush=True)
        del window, first, line
        yield from ((line.split("\t"), place) for place, line in enumerate(rest, number) if line)
        return
    facts["quotes"] = "quoted"
    print(f"{name} has quoted fields, as Excel and pandas write them, and is read so", flush=True)
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader((f"{line}\n" for line in rest), delimiter="\t", strict=True)
    try:
        yield from ((row, number - 1 + reader.line_num) for row in reader)
    except csv.Error as error:
        raise UserError(
            f"{name}, line {number - 1 + reader.line_num} has quotes that are not around a field, as "
            f"they are in lines before ({error}); fix it, or convert the table to .jsonl"
        ) from None


def are_quoted(window: list[str], width: int, goes_on: bool) -> bool:
    """Return whether lines have quotes as CSV has them.

    Args:
        window: the lines.
        width: how many fields a row has; 0 if not known.
        goes_on: whether there are more, so that the last may break off inside quotes.
    """
    reader = csv.reader((f"{line}\n" for line in window), delimiter="\t", strict=True)
    csv.field_size_limit(sys.maxsize)
    complete = 0
    try:
        for row in reader:
            width = width or len(row)
            if row and len(row) != width:
                return False
            complete += 1
    except csv.Error:
        return goes_on and reader.line_num == len(window) and complete > len(window) // 10
    return True


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
