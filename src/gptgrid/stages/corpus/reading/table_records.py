"""The texts of a column of comma- or tab-separated values."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.documents import lines, pieces
from gptgrid.stages.corpus.reading.separators import SEPARATORS, first_lines, separator_of
from gptgrid.stages.corpus.reading.table_columns import column_texts, is_text

NAMED = re.compile(r'"?sep=(?P<separator>[,;\t|])"?\n')
"""The first line with which Excel is told the separator."""
FIELD_IN_QUOTES = re.compile(r'(?:^|\t)"')
BLANK_BEFORE_QUOTE = r'(?:^|{0}) +"(?![{0}"\n])'
"""A quote that begins a field behind a blank: inside of quotes, all that go on with a letter are doubled."""
WHOLE_IN_QUOTES = re.compile('".*"')
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
    first = first_lines(every)
    named = NAMED.fullmatch(first[0]) if first else None
    before = 1 if named else 0
    separator = named["separator"] if named else separator_of(first, name, field)
    facts["separator"] = SEPARATORS[separator]
    if separator != ",":
        print(f"{name} is separated by {SEPARATORS[separator]}, and read so", flush=True)
    spaced = re.compile(BLANK_BEFORE_QUOTE.format(re.escape(separator)))
    skip = any(map(spaced.search, first[before:]))
    if skip:
        print(f"{name} has blanks before its fields, which are left out", flush=True)
    raw = chain(first[before:], every if skip else without_blanks(every, spaced, len(first), name))
    reader = csv.reader(raw, strict=True, delimiter=separator, skipinitialspace=skip)
    del first, raw
    rows = ((row, before + reader.line_num) for row in reader)
    try:
        yield from column_texts(rows, name, field, facts)
    except csv.Error as error:
        raise UserError(
            f"{name}, line {before + reader.line_num} is no CSV ({error}); fix or convert it"
        ) from None


def without_blanks(every: Iterator[str], spaced: re.Pattern[str], before: int, name: str) -> Iterator[str]:
    """Yield lines in which no blank stands before the quotes of a field.

    Raises:
        UserError: there is one, so that the quotes would be part of the text.
    """
    for number, line in enumerate(every, before + 1):
        if spaced.search(line):
            raise UserError(f"{name}, line {number} has a blank before the quotes of a field; take it out")
        yield line


def tsv_texts(blocks: Iterator[str], name: str, field: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a column of tab-separated values.

    Quotes around fields are those of Excel and pandas, and are taken off, if every field that begins with one
    is quoted as in CSV, because it must be, or as all texts of its column are; otherwise they are text.

    Args:
        blocks: the table with LF line ends, in pieces of any length.
        name: what to call it.
        field: the name or the number of the column.
        facts: gets, where fields begin with quotes, which `quotes` they are: `quoted` or `literal`.

    Raises:
        UserError: it is no such table, or quotes far down are others than the first ones.
    """
    yield from column_texts(tsv_rows(pieces(blocks, "\n"), name, facts), name, field, facts)


def tsv_rows(every: Iterator[str], name: str, facts: dict[str, Any]) -> Iterator[tuple[list[str], int]]:
    """Yield the rows of tab-separated values with the numbers of their lines."""
    width, number, first, row = 0, 0, "", []
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
    by_program = are_quoted(window, width, more is not None) and not is_text_in_quotes(
        [*([row] if number > 2 else ()), *(line.split("\t") for line in window[number == 1 :] if line)]
    )
    if not by_program:
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


def is_text_in_quotes(rows: list[list[str]]) -> bool:
    """Return whether quotes are text, though they may be read as those of CSV: no program would write them.

    One writes quotes where a field must have them, for what stands in it, or around all texts of a column.

    Args:
        rows: the fields with their quotes, as tabs separate them; no header.
    """
    if len({len(row) for row in rows}) > 1:  # a tab or a line end stands in quotes
        return False
    for column in zip(*rows, strict=True):
        quoted = [cell for cell in column if cell.startswith('"')]
        if not all(map(WHOLE_IN_QUOTES.fullmatch, quoted)):  # likewise
            return False
        plain = [cell for cell in column if not cell.startswith('"') and is_text(cell)]
        # Excel writes quotes around fields with a comma, or a semicolon, too.
        signs = {'"'} | {sign for sign in ",;" if not any(sign in cell for cell in plain)}
        if plain and any(
            signs.isdisjoint(cell[1:-1]) and cell[1:-1].strip() == cell[1:-1] != "" for cell in quoted
        ):
            return True
    return False
