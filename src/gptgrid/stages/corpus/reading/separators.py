"""What separates the fields of a csv file, found from its first rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from gptgrid.artifact.errors import UserError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between the fields of a csv file → what it is called."""
FIRST_LINES, FIRST_ROWS, FIRST_SIZE = 20, 5, 2**20
"""Lines and rows that the separator is found from, at least, and characters, at most: a cell may have many
lines."""


def first_lines(every: Iterator[str]) -> list[str]:
    """Return the first lines of a table, so many that each separator makes some rows of them, or cannot.

    Args:
        every: its lines; what is returned is taken from them.
    """
    first, size, enough = [], 0, FIRST_LINES
    for line in every:
        first.append(line)
        size += len(line)
        if size >= FIRST_SIZE:
            break
        if len(first) >= enough:
            if all(makes_rows(first, separator) is not None for separator in SEPARATORS):
                break
            enough *= 2
    return first


def makes_rows(first: list[str], separator: str) -> bool | None:
    """Return whether a separator makes rows of the first lines; None where there are too few to know."""
    rows = rows_of(first, separator)
    if rows and not rows[-1]:
        return False
    return True if len(rows) >= FIRST_ROWS else None


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
        if rows and field in rows[0] and not field.isdecimal():
            return separator
        widths[separator] = width_of(rows)
    if field.isdecimal():
        making = [separator for separator, width in widths.items() if width > max(1, int(field))]
        making = [separator for separator in making if stands_before_quotes(first, separator)] or making
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


def stands_before_quotes(first: list[str], separator: str) -> bool:
    """Return whether quotes that begin a field follow a separator; those inside of a field are doubled."""
    return any(re.search(f'{re.escape(separator)}"(?!")', line) for line in first)


def rows_of(first: list[str], separator: str) -> list[list[str]]:
    """Return the rows that a separator makes of the first lines, up to one that has no right quotes.

    That is an empty row. One that breaks off inside quotes at the last line is left out.
    """
    rows, reader = [], csv.reader(first, delimiter=separator, strict=True)
    try:
        rows.extend(row for row in reader if row)
    except csv.Error:
        if reader.line_num < len(first):
            rows.append([])
    return rows


def width_of(rows: list[list[str]]) -> int:
    """Return how many fields each row has; 0 if some have others."""
    widths = {len(row) for row in rows}
    return widths.pop() if len(widths) == 1 else 0
