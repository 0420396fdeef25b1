"""The texts of JSON lines and of JSON lists of objects.

Lists are read here, not by ijson, which is three times as fast: it makes `?` of half a surrogate pair without
a word, takes gigabytes for a file of opening brackets, and does not know the line of a mistake.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.fields import text_of

PIECE = 2**16
"""Characters that are read at a time."""


def jsonl_texts(text: TextIO, name: str, field: str) -> Iterator[str]:
    """Yield the texts of JSON lines; blank lines are none."""
    for number, line in enumerate(text, 1):
        if line.strip():
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise UserError(f"{name}, line {number} is no JSON ({error})") from None
            yield text_of(record, field, f"{name}, line {number}")


def json_texts(text: TextIO, name: str, field: str) -> Iterator[str]:
    """Yield the texts of a JSON list of objects; only one object is in memory at a time.

    A file that starts with an object instead has an object a line, as many call `.json`.
    """
    window = Window(text, name)
    if window.next() == "{":
        yield from jsonl_texts(window.lines(), name, field)
        return
    window.expect("[")
    number = 0
    while window.next() != "]":
        if number:
            window.expect(",")
        record, line = window.value()
        number += 1
        yield text_of(record, field, f"{name}, record {number}, which starts in line {line},")
    window.expect("]")
    if window.next():
        raise window.wrong("the end")


class Window:
    """The part of a JSON text that is in memory."""

    decoder = json.JSONDecoder()

    def __init__(self, text: TextIO, name: str) -> None:
        self.text, self.name = text, name
        self.buffer, self.start, self.line = "", 0, 1

    def next(self) -> str:
        """Go to the next character that is no blank, and return it; at the end, the empty text."""
        while True:
            end = re.compile(r"[ \t\r\n]*").match(self.buffer, self.start).end()
            self.go(end)
            if end < len(self.buffer):
                return self.buffer[end]
            if not self.more(PIECE):
                return ""

    def go(self, end: int) -> None:
        """Go to a place in the buffer."""
        self.line += self.buffer.count("\n", self.start, end)
        self.start = end

    def more(self, size: int) -> bool:
        """Read on; return whether there was something."""
        piece = self.text.read(size)
        self.buffer, self.start = self.buffer[self.start :] + piece, 0
        return bool(piece)

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
                value, end = self.decoder.raw_decode(self.buffer, self.start)
            except json.JSONDecodeError as error:
                # Text that is cut off fails at its end, or at the start of its last string.
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.buffer) - 16
                if not cut or not self.more(max(PIECE, len(self.buffer))):
                    self.go(min(error.pos, len(self.buffer)))
                    raise UserError(f"{self.name}, line {self.line} is no JSON ({error.msg})") from None
            except RecursionError:
                raise UserError(f"{self.name}, line {self.line} is nested too deeply") from None
            else:
                line = self.line
                self.go(end)
                return value, line

    def lines(self) -> Iterator[str]:
        """Yield the lines from here on, after blank ones for those before, so that numbers are right."""
        read = "\n" * (self.line - 1) + self.buffer[self.start :] + self.text.readline()
        yield from io.StringIO(read)
        yield from self.text

    def wrong(self, expected: str) -> UserError:
        """Return the error for anything but what was expected."""
        found = self.next()
        return UserError(
            f"{self.name}, line {self.line} is no JSON list of objects: expected {expected}, found "
            f"{found or 'the end'}"
        )
