"""The texts of JSON lines and of JSON lists of objects.

Lists are read here, not by ijson, which is three times as fast: it makes `?` of half a surrogate pair without
a word, takes gigabytes for a file of opening brackets, and does not know the line of a mistake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.documents import pieces
from gptgrid.stages.corpus.reading.fields import TWICE, text_of

BLANKS = re.compile(r"[ \t\r\n]*")
GROWTH = 4
"""What is in memory of a value that goes on grows by one part in so many at a time."""


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; a field that it has twice is marked."""
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        record |= {name: TWICE for name in record if names.count(name) > 1}
    return record


DECODER = json.JSONDecoder(object_pairs_hook=object_of, parse_int=float)
"""No number is a text, so that its digits do not matter; Python refuses whole ones of many digits."""


def jsonl_texts(blocks: Iterator[str], name: str, field: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of JSON lines."""
    return (text_of(record, field, where) for record, where in jsonl_values(blocks, name))


def jsonl_values(blocks: Iterator[str], name: str) -> Iterator[tuple[Any, str]]:
    """Yield the value of each line, and where it stands; blank lines have none."""
    for number, line in enumerate(pieces(blocks, "\n"), 1):
        if line.strip():
            where = f"{name}, line {number}"
            yield record_of(line, where), where


def record_of(line: str, where: str) -> Any:
    """Return the value of a line of JSON.

    Raises:
        UserError: it has none.
    """
    try:
        return DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where} is no JSON ({error})") from None
    except RecursionError:
        raise UserError(f"{where} is nested too deeply") from None


def json_texts(blocks: Iterator[str], name: str, field: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a JSON list of objects."""
    return (text_of(record, field, where) for record, where in json_values(blocks, name))


def json_values(blocks: Iterator[str], name: str) -> Iterator[tuple[Any, str]]:
    """Yield what a JSON list has, and where it stands; only one value is in memory at a time.

    A file that starts with an object instead has one object after the other, as many call `.json`.
    """
    window = Window(blocks, name)
    if window.next() == "{":
        while window.next():
            value, line = window.value()
            yield value, f"{name}, line {line}"
        return
    window.expect("[")
    number = 0
    while window.next() != "]":
        if number:
            window.expect(",")
        value, line = window.value()
        number += 1
        yield value, f"{name}, record {number}, which starts in line {line},"
    window.expect("]")
    if window.next():
        raise window.wrong("the end")


class Window:
    """The part of a JSON text that is in memory."""

    def __init__(self, blocks: Iterator[str], name: str) -> None:
        self.blocks, self.name = blocks, name
        self.buffer, self.start, self.line = "", 0, 1

    def next(self) -> str:
        """Go to the next character that is no blank, and return it; at the end, the empty text."""
        while True:
            end = BLANKS.match(self.buffer, self.start).end()
            self.go(end)
            if end < len(self.buffer):
                return self.buffer[end]
            if not self.more():
                return ""

    def go(self, end: int) -> None:
        """Go to a place in the buffer."""
        self.line += self.buffer.count("\n", self.start, end)
        self.start = end

    def more(self) -> bool:
        """Read on; return whether there was something."""
        parts = [self.buffer[self.start :]]
        wanted, read = len(parts[0]) // GROWTH, 0
        for block in self.blocks:
            parts.append(block)
            read += len(block)
            if read > wanted:
                break
        self.buffer, self.start = "".join(parts), 0
        return read > 0

    def expect(self, character: str) -> None:
        """Go past a character.

        Raises:
            UserError: there is another.
        """
        if self.next() != character:
            raise self.wrong(character)
        self.go(self.start + 1)

    def value(self) -> tuple[Any, int]:
        """Go past a value; return it with the number of the line in which it starts."""
        self.next()
        while True:
            try:
                value, end = DECODER.raw_decode(self.buffer, self.start)
            except json.JSONDecodeError as error:
                # Text that is cut off fails at its end, or at the start of its last string.
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.buffer) - 16
                if not cut or not self.more():
                    self.go(min(error.pos, len(self.buffer)))
                    raise UserError(f"{self.name}, line {self.line} is no JSON ({error.msg})") from None
            except RecursionError:
                raise UserError(f"{self.name}, line {self.line} is nested too deeply") from None
            else:
                line = self.line
                self.go(end)
                return value, line

    def wrong(self, expected: str) -> UserError:
        """Return the error for anything but what was expected."""
        found = self.next()
        return UserError(
            f"{self.name}, line {self.line} is no JSON list of objects: expected {expected}, found "
            f"{found or 'the end'}"
        )
