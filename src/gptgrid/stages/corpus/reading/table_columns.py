"""The column of a table that is asked for, by name or number, and whether the first row is a header."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.fields import MissingFieldError

NUMBER = re.compile(r"[-+]?\d[\d.,: /-]*%?")
NO_VALUE = ("", "NA", "NULL", "None", "nan", "NaN", r"\N")
"""What programs write without quotes among texts in quotes, beside numbers."""
SHAPES, FEWEST_SHAPES = 20, 3
"""Rows behind the first, at most and at least, by which it is known as a header."""
NAME_OF_COLUMN = re.compile(r"\w+(?:[ _-]\w+){0,2}")


def column_texts(
    rows: Iterator[tuple[list[str], int]], name: str, field: str, facts: dict[str, Any]
) -> Iterator[str]:
    """Yield one cell a row; each row must have as many as the first.

    Args:
        rows: with the numbers of their lines.
        name: what to call the table.
        field: the name or the number of the column.
        facts: gets among its `doubts` that the first row looks like a header, if it was read as a record.

    Raises:
        UserError: there is no such column, or a row has more or fewer fields.
    """
    rows = (found for found in rows if found[0])
    start = list(islice(rows, 2))
    if not start:
        return
    first = start[0][0]
    has_header = names_column([row for row, _ in start], field)
    column = column_of(first, name, field, has_header)
    shapes = []
    """Of the first rows, for each cell whether it is a text, and its length."""
    for row, line in chain(start[has_header:], rows):
        if len(row) != len(first):
            raise UserError(
                f"{name}, line {line} has {len(row)} fields, but the first row has {len(first)}; fix it"
            )
        if not has_header and len(shapes) <= SHAPES:
            shapes.append([(is_text(cell), len(cell)) for cell in row])
        yield row[column]
    if shapes and looks_like_header(first, shapes, column):
        doubt = (
            "the first row looks like a header and is a document, as `field` is a number; set it to the name "
            "of the column"
        )
        facts["doubts"] = [*facts.get("doubts", ()), doubt]


def names_column(start: list[list[str]], field: str) -> bool:
    """Return whether the field is the name of a column, and the first row the header.

    A number is one if a text stands below it, and no other number, as where records are counted.

    Args:
        start: the first rows.
        field: the name or the number of the column.
    """
    if not field.isdecimal():
        return True
    first, *others = start
    if first.count(field) != 1 or not others:
        return False
    below = others[0][first.index(field) :]
    return bool(below) and is_text(below[0])


def looks_like_header(first: list[str], shapes: list[list[tuple[bool, int]]], column: int) -> bool:
    """Return whether a row is a header: a name over numbers, or a short name over texts.

    Args:
        first: the row.
        shapes: its own and those of the rows below: of each cell, whether it is a text, and its length.
        column: of the texts.
    """
    above, *below = shapes
    if len(below) < FEWEST_SHAPES:
        return False
    for place, (is_name, _) in enumerate(above):
        if is_name and not any(row[place][0] for row in below) and any(row[place][1] for row in below):
            return True
    shortest = min(row[column][1] for row in below)
    return NAME_OF_COLUMN.fullmatch(first[column]) is not None and 2 * len(first[column]) < shortest


def column_of(first: list[str], name: str, field: str, has_header: bool) -> int:
    """Return which column of a table is meant."""
    if not has_header:
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


def is_text(cell: str) -> bool:
    """Return whether a cell holds more than a number, or nothing."""
    return cell not in NO_VALUE and not NUMBER.fullmatch(cell)
