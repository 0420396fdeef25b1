"""Whether what is read as a text is one: it may be records or a table by another name, or hold end marks."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from gptgrid.stages.corpus.reading.fields import ListedError
from gptgrid.stages.corpus.reading.separators import rows_of, width_of
from gptgrid.text.long_text import Text, count

HEAD = 2**16
"""Characters that are looked at."""
MOST, HALF = 0.9, 0.5
"""Share of the lines that are objects, where a text is JSON lines, and where it may be."""
FEWEST = 3
"""Lines, at least, that are lists or in base64, where a text is made of these."""
LINES = {"\t": 3, ",": 10, ";": 10, "|": 10}
"""Separator → lines that must have it equally often in a table; fewer have it in prose, too."""
STRING = r'"(?:[^"\\]|\\.)*"'
JSON = re.compile(rf"\s*(?:\[\s*)?\{{\s*{STRING}\s*:")
"""The start of an object, or of a list of objects."""
JSON_TEXTS = re.compile(rf"\s*\[\s*{STRING}\s*,\s*{STRING}")
ATTRIBUTES = r"""[\w:.-]+(?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))+\s*/?>"""
MARKUP = re.compile(
    rf"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|\?xml\s|(?:html|head|body|div|p)\b|{ATTRIBUTES})",
    re.IGNORECASE | re.DOTALL,
)
TRANSFER = re.compile(
    r"^Content-Transfer-Encoding:[ \t]*(?:quoted-printable|base64)", re.IGNORECASE | re.MULTILINE
)
BASE64 = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9+/]{40,}={0,2}")
ISO_CONTROL = re.compile("[\x80-\x84\x86-\x9f]")
MISREAD_AS = ("cp1252", "latin-1", "cp1251")
"""Encodings that UTF-8 is most often taken for."""
SPECIAL_TOKEN = re.compile(r"<\|[^|<>\s]+\|>")
"""Of a chat. Its bars separate no fields."""
END_MARKS = ("<|endoftext|>", "<|end_of_text|>")
"""What others write between documents."""


def look(blocks: Iterator[str], name: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield a text after a look at its start.

    Args:
        blocks: the text with LF line ends.
        name: what to call it.
        facts: gets `looks_like`, the format of a table or of records, if it does, and among its `doubts` what
            else it looks like.

    Raises:
        ListedError: it is JSON lines.
    """
    head = ""
    for block in blocks:
        head += block
        if len(head) >= HEAD:
            break
    lines = [line for line in head[:HEAD].split("\n") if line.strip()]
    if len(head) >= HEAD:
        lines = lines[:-1] or lines
    if found := format_of_records(head, lines, name) or table_format(lines):
        facts["looks_like"] = found
    elif doubt := other_form(head, lines):
        facts["doubts"] = [*facts.get("doubts", ()), doubt]
    del lines
    yield head
    del head
    yield from blocks


def format_of_records(head: str, lines: list[str], name: str) -> str | None:
    """Return `jsonl` or `json` where a text seems to be such; None otherwise.

    Args:
        head: its start.
        lines: of the start, those that are not blank.
        name: what to call it.

    Raises:
        ListedError: it is an object a line.
    """
    records = [record for line in lines if line.lstrip().startswith("{") and (record := object_in(line))]
    if records and len(records) >= MOST * len(lines):
        raise ListedError(
            f"{name} is a text by its name, but JSON, an object a line; it has",
            list(records[0]),
            "set `format: jsonl` and the `field` that is the text, or `format: text` to train on all of it",
        )
    if records and len(records) >= HALF * len(lines):
        return "jsonl"
    return "json" if JSON.match(head) else None


def other_form(head: str, lines: list[str]) -> str | None:
    """Return a sentence on a form in which a text has more than its words; None where there is none.

    Args:
        head: its start.
        lines: of the start, those that are not blank.
    """
    if JSON_TEXTS.match(head) or is_mostly(lines, is_json_list):
        form, remedy = "JSON without names for its texts", "save them as .jsonl, each with a field"
    elif MARKUP.match(head):
        form, remedy = "HTML or XML", "save what it says as a text"
    elif TRANSFER.search(head):
        form, remedy = "mails in the form in which they are sent", "save what they say as a text"
    elif is_mostly(lines, BASE64.fullmatch):
        form, remedy = "base64", "decode it"
    elif is_mostly([line for line in lines if not line.isascii()], is_misread, HALF):
        form, remedy = "one that was read in a wrong encoding and saved so", "give it as it was before"
    else:
        return None
    return (
        f"read as a text, but looks like {form}, of which all is trained on as it stands; {remedy}, or set "
        "`format: text` if it is meant"
    )


def is_mostly(lines: list[str], test: Callable[[str], object], share: float = MOST) -> bool:
    """Return whether so many lines pass a test."""
    return len(lines) >= FEWEST and sum(map(bool, map(test, lines))) >= share * len(lines)


def is_misread(line: str) -> bool:
    """Return whether a line is what becomes of UTF-8 in another encoding, or of quotes in one of ISO.

    Of é it is Ã©, and of quotes control characters.
    """
    if ISO_CONTROL.search(line):
        return True
    for encoding in MISREAD_AS:
        try:
            line.encode(encoding).decode()
        except UnicodeError:
            continue
        return True
    return False


def is_json_list(line: str) -> bool:
    """Return whether a line is a JSON list of several values."""
    if not line.lstrip().startswith("["):
        return False
    found = json_in(line)
    return isinstance(found, list) and len(found) > 1


def object_in(line: str) -> dict[str, Any] | None:
    """Return the JSON object that a line is."""
    found = json_in(line)
    return found if isinstance(found, dict) else None


def json_in(line: str) -> Any:
    """Return the JSON value that a line is; None where it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def table_format(lines: list[str]) -> str | None:
    """Return `csv` or `tsv` where every line has as many fields; None where they have not."""
    rows = [f"{line}\n" for line in lines]
    for separator, number in LINES.items():
        if len(rows) < number:
            continue
        cut = rows_of([SPECIAL_TOKEN.sub("", row) for row in rows] if separator == "|" else rows, separator)
        if width_of(cut) > 1 and not any(is_text(cut, separator)):
            return "tsv" if separator == "\t" else "csv"
    return None


def is_text(rows: list[list[str]], separator: str) -> Iterator[bool]:
    """Yield for each reason why rows of as many fields are no table whether it holds."""
    yield any(row[0][:1].isspace() for row in rows)  # indented
    yield separator == "\t" and not all(row[0] for row in rows[1:])  # so, too; pandas names no first column
    yield all(row[1].startswith(" ") for row in rows)  # in prose, a blank follows what separates clauses
    yield separator == "|" and not any(row[0] or row[-1].strip() for row in rows)  # as Markdown writes tables


def count_marks(document: Text, marks: Counter[str]) -> None:
    """Count the END_MARKS in a document."""
    for mark in END_MARKS:
        if number := count(document, mark):
            marks[mark] += number
