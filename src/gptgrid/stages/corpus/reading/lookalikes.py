"""Whether what is read as a text is one: it may be records or a table by another name, or hold end marks."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from gptgrid.stages.corpus.reading.fields import ListedError
from gptgrid.stages.corpus.reading.table_records import rows_of, width_of

HEAD = 2**16
"""Characters that are looked at."""
MOST = 0.9
"""Share of the lines that are objects, where a text is JSON lines."""
LINES = {"\t": 3, ",": 10, ";": 10, "|": 10}
"""Separator → lines that must have it equally often in a table; fewer have it in prose, too."""
JSON_LIST = re.compile(r'\s*\[\s*\{\s*"')
END_MARKS = ("<|endoftext|>", "<|end_of_text|>")
"""What others write between documents."""


def look(blocks: Iterator[str], name: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield a text after a look at its start.

    Args:
        blocks: the text with LF line ends.
        name: what to call it.
        facts: gets `looks_like`, the format of a table or a list, if it does.

    Raises:
        UserError: it is JSON lines.
    """
    head = ""
    for block in blocks:
        head += block
        if len(head) >= HEAD:
            break
    lines = [line for line in head[:HEAD].split("\n") if line.strip()]
    if len(head) >= HEAD:
        lines = lines[:-1]
    refuse_json_lines(lines, name)
    if JSON_LIST.match(head):
        facts["looks_like"] = "json"
    elif table := table_format(lines):
        facts["looks_like"] = table
    del lines
    yield head
    del head
    yield from blocks


def refuse_json_lines(lines: list[str], name: str) -> None:
    """Refuse what is an object a line.

    Raises:
        ListedError: it is.
    """
    records = [record for line in lines if line.lstrip().startswith("{") and (record := object_in(line))]
    if records and len(records) >= MOST * len(lines):
        raise ListedError(
            f"{name} is a text by its name, but JSON, an object a line; it has",
            list(records[0]),
            "set `format: jsonl` and the `field` that is the text, or `format: text` to train on all of it",
        )


def object_in(line: str) -> dict[str, Any] | None:
    """Return the JSON object that a line is."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def table_format(lines: list[str]) -> str | None:
    """Return `csv` or `tsv` where every line has as many fields; None where they have not."""
    if any(line[0].isspace() for line in lines):
        return None
    rows = [f"{line}\n" for line in lines]
    for separator, number in LINES.items():
        cut = rows_of(rows, separator)
        # In prose, a blank follows what separates clauses.
        if len(lines) >= number and width_of(cut) > 1 and not all(row[1].startswith(" ") for row in cut):
            return "tsv" if separator == "\t" else "csv"
    return None


def count_marks(document: str, marks: Counter[str]) -> None:
    """Count the END_MARKS in a document."""
    for mark in END_MARKS:
        if number := document.count(mark):
            marks[mark] += number
