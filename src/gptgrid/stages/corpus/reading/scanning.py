"""What a file is as UTF-8: where it is, where not, and whether that is by chance."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

ESCAPE, ESCAPE_STARTS = re.compile(rb"\x1b[$(]|~\{"), (b"\x1b", b"~{")
"""Goes before characters of more than one byte in encodings whose bytes are all below 128."""
FAULT, LIKE_FAULT = "\ufffd", "\ufffc"
"""What is decoded for bytes that are not UTF-8, and what is put for that character where a file has it."""
BEYOND = re.compile(rb"[\x80-\xff]")
CONTROL = re.compile(rb"(?<![\x80-\xff])[\x80-\x9f]")
"""Begins no character of UTF-8, and ends none."""
SHORT, SHORT_IN_ASIAN = 3, 16
"""So many characters of UTF-8 in a row are a word that happens to be such. In Asian encodings, Russian and
Greek words have many of them."""
PLACES = 16
"""Blocks of a file whose encoding is looked at."""
UNLIKELY = 0.001
"""How many rows as long as the longest there may be by chance where it is none."""


@dataclass
class Scan:
    """What a file turned out to be, read as UTF-8."""

    size: int = 0
    """Bytes."""
    fault: int | None = None
    """Where the first byte stands that is not UTF-8."""
    sample: bytes = b""
    """What stands around it, or around the first escape of a text that is ASCII."""
    last: bytes = b""
    """The last block that has one."""
    others: list[bytes] = field(default_factory=list)
    """Some of the blocks that have one, as far apart as PLACES of them can be."""
    stride: int = 1
    """One in so many of them is kept."""
    blocks: int = 0
    """How many have one."""
    faults: int = 0
    """Bytes, or beginnings of characters, that are not UTF-8."""
    fitting: int = 0
    """Characters of UTF-8 beyond ASCII."""
    rows: int = 0
    """Rows of such characters, in each of which there is nothing else but ASCII."""
    longest: int = 0
    """Characters of the longest row."""
    longest_at: int = 0
    """Where it begins."""
    zeros: int = 0
    """Bytes that are zero."""
    zero: int | None = None
    """Where the first one stands."""
    has_controls: bool = False
    """Whether there are bytes from 0x80 to 0x9f that are not UTF-8, but those that follow others."""

    @property
    def share(self) -> float:
        """The share of what is beyond ASCII that is UTF-8."""
        return self.fitting / max(1, self.fitting + self.faults)

    def is_mixed(self, one_byte: bool) -> bool:
        """Return whether more characters of UTF-8 stand in a row than do by chance in any other encoding.

        How often one follows a fault by chance is known from the text itself; in a row, each next one is as
        likely.

        Args:
            one_byte: whether the other encoding has one byte a character.
        """
        if self.longest <= (SHORT if one_byte else SHORT_IN_ASIAN) or self.rows >= self.faults:
            return False
        return self.faults * (self.rows / self.faults) ** self.longest < UNLIKELY

    def add(self, data: bytes, offset: int, text: str) -> None:
        """Count what a block of the file has.

        Args:
            data: its bytes.
            offset: where it stands.
            text: what they are, with FAULT for what is not UTF-8.
        """
        self.size += len(data)
        if number := data.count(0):
            self.zero = offset + data.index(0) if self.zero is None else self.zero
            self.zeros += number
        if text.isascii():
            return
        if FAULT not in text:
            number = len(text) - len(text.encode("ascii", "ignore"))
            self.fitting += number
            self.rows += 1
            if number > self.longest:
                self.longest, self.longest_at = number, offset + BEYOND.search(data).start()
            return
        self.last = data
        self.keep(data)
        self.has_controls = self.has_controls or CONTROL.search(data) is not None
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        places = np.flatnonzero(points > 0x7F)
        fits = points[places] != ord(FAULT)
        self.fitting += int(fits.sum())
        self.faults += int(len(fits) - fits.sum())
        borders = np.flatnonzero(np.diff(fits, prepend=False, append=False))
        starts, lengths = borders[::2], borders[1::2] - borders[::2]
        self.rows += len(starts)
        if len(starts) and lengths.max() > self.longest:
            self.longest = int(lengths.max())
            row = starts[lengths.argmax()]
            first, last = places[row], places[row + self.longest - 1]
            self.longest_at = offset + data.index(text[first : last + 1].encode())

    def keep(self, block: bytes) -> None:
        """Keep a block among `others`, if it is its turn; twice as far apart once there are too many."""
        if self.blocks % self.stride == 0:
            self.others.append(block)
        self.blocks += 1
        if len(self.others) > PLACES:
            del self.others[1::2]
            self.stride *= 2


def scan(block: bytes, stream: BinaryIO, sample: int) -> Scan:
    """Read a file to its end.

    Args:
        block: its start.
        stream: the rest.
        sample: how many bytes to read at a time, and to keep around a place.
    """
    found, before, kept, offset = Scan(), b"", b"", 0
    while True:
        data, following = kept + block, stream.read(sample)
        data = data.replace(FAULT.encode(), LIKE_FAULT.encode())
        text, used = codecs.utf_8_decode(data, "replace", not block)
        found.add(data[:used], offset, text)
        if found.fault is None:
            if found.faults:
                place = first_fault(data)
                found.fault = offset + place
                found.sample = around(before + data + following, len(before) + place, sample)
            elif not found.fitting and not found.sample and any(start in data for start in ESCAPE_STARTS):
                match = ESCAPE.search(data)
                found.sample = around(before + data, len(before) + match.start(), sample) if match else b""
        if not block:
            return found
        offset += used
        before, kept, block = data[:used], data[used:], following


def first_fault(data: bytes) -> int:
    """Return where the first byte stands that is not UTF-8, in a block that has one."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


def around(data: bytes, place: int, size: int) -> bytes:
    """Return the bytes about a place; the first of them begins a character.

    What stands before the place is nearly all ASCII. A byte below 128 may end a character, but the second of
    two is one itself.
    """
    start = max(0, place - size // 2)
    if start:
        match = re.compile(rb"[\x00-\x7f]{2}").search(data, start, place)
        start = match.end() if match else start
    return data[start : start + size]
