"""Which encoding a file is in: by its byte order mark, UTF-8, and otherwise a guess, which is announced."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.guessing import (
    LATIN,
    Guess,
    guess,
    guess_escaped,
    guess_wide,
    is_too_little,
    strictly,
)

SAMPLE = 2**17
"""Bytes that a guess is made from."""
DAMAGED = 0.5
"""With a larger share of what is beyond ASCII in UTF-8, a text is UTF-8 with damage. By chance it is at most
0.3, in Chinese and Thai."""
MIXED = 0.1
"""With a larger share in UTF-8, a text of Latin letters is put together from texts in UTF-8 and others: two
of its letters beyond ASCII hardly ever meet."""

MARKS = {
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    codecs.BOM_UTF32_LE: ("utf-32", "utf-32-le"),
    codecs.BOM_UTF32_BE: ("utf-32", "utf-32-be"),
    codecs.BOM_UTF8: ("utf-8-sig", "utf-8"),
    codecs.BOM_UTF16_LE: ("utf-16", "utf-16-le"),
    codecs.BOM_UTF16_BE: ("utf-16", "utf-16-be"),
}
"""Byte order mark → the encoding that reads it, and the one of what follows."""
UTF8 = ("utf-8", "utf-8-sig")
BY_CHANCE = 16
"""More bytes than these, in a text without a fault, do not continue characters of UTF-8 by chance."""
ESCAPE, ESCAPE_STARTS = re.compile(rb"\x1b[$(]|~\{"), (b"\x1b", b"~{")
"""Goes before characters of more than one byte in encodings whose bytes are all below 128."""
CONTROLS = re.compile(b"[\x80-\x9f]")
WINDOWS = {
    **dict.fromkeys(("iso8859-1", "iso8859-15"), "cp1252"),
    **{"iso8859-2": "cp1250", "iso8859-5": "cp1251", "iso8859-6": "cp1256", "iso8859-7": "cp1253"},
    **{"iso8859-8": "cp1255", "iso8859-9": "cp1254", "iso8859-13": "cp1257"},
}
"""Encoding that has CONTROLS → that of Windows for the same languages."""
WIDE = ("utf-16", "utf-32")
NO_TEXTS = {b"%PDF-": "a PDF", b"{\\rtf": "an RTF document"}
"""First bytes of what is written in letters that are not the text → what it is."""


def detect(stream: BinaryIO, name: str, errors: str = "strict") -> dict[str, Any]:
    """Read a file to its end and return its `encoding`, and whether that is `guessed`.

    Args:
        stream: the file, from its start.
        name: what to call it in messages.
        errors: with `replace`, UTF-8 with a few other bytes in it is UTF-8.

    Raises:
        UserError: no encoding makes text of it, or two do so equally well, or it is damaged UTF-8.
    """
    start = stream.read(SAMPLE)
    for first, kind in NO_TEXTS.items():
        if start.startswith(first):
            raise UserError(f"{name} is {kind}; save what it says as a text, or take it out of the corpus")
    if marked := encodings_of_mark(start):
        return certain(marked[0])
    if b"\0" in start and (wide := guess_wide(start)):
        return announce(name, Guess(wide), "it has zeros between its letters")
    found = scan(start, stream, name)
    if found.fault is None:
        escaped = guess_escaped(found.sample) if found.sample and not found.fitting else None
        return announce(name, escaped, "it has escapes for characters") if escaped else certain("utf-8")
    if found.share <= DAMAGED:
        guessed = settle(guess(found.sample), found, name)
        if guessed.encoding not in LATIN or found.share <= MIXED:
            return announce(name, guessed, f"byte {found.fault:,}")
    if errors == "strict":
        raise UserError(
            f"{name}: the byte at offset {found.fault:,} is not UTF-8, as other characters in it are; fix "
            "the file, set `errors: replace`, or set `encoding` if it is another one"
        )
    return certain("utf-8")


def check_given(stream: BinaryIO, name: str, encoding: str) -> dict[str, Any]:
    """Return the `encoding` that a person gave, which is not `guessed`, after a look at a file.

    Where the text speaks for another, that is its `rival`.

    Args:
        stream: the file, from its start.
        name: what to call it in messages.
        encoding: a Python codec.

    Raises:
        UserError: the file is UTF-8 or of Windows, and that is another encoding: letters would become others.
    """
    blocks = iter(lambda: stream.read(SAMPLE), b"")
    sample = next((block for block in blocks if not block.isascii()), b"")
    try:
        codec = codecs.lookup(encoding).name
    except LookupError:
        return certain(encoding)
    if not sample or codec in UTF8 or codec.startswith(WIDE) or encodings_of_mark(sample):
        return certain(encoding)
    text = strictly(sample, "utf-8")
    if text is not None and len(sample) - len(text) > BY_CHANCE:
        raise UserError(f"{name} is UTF-8, not {encoding}; set `encoding: auto`, which looks at each file")
    if codec in WINDOWS:
        check_controls(chain([sample], blocks), name, encoding, WINDOWS[codec])
    found = guess(sample) if text is None else None
    if found is None or found.is_toss_up or found.doubt or is_too_little(sample, found):
        return certain(encoding)
    if sample.decode(found.encoding, "replace") == sample.decode(encoding, "replace"):
        return certain(encoding)
    print(f"{name} is read as {encoding}, as `encoding` says; it looks like {found.encoding}", flush=True)
    return {**certain(encoding), "rival": found.encoding}


def check_controls(blocks: Iterator[bytes], name: str, encoding: str, windows: str) -> None:
    """Refuse bytes that are control characters in an encoding of ISO, and letters or signs in Windows.

    Raises:
        UserError: there is one.
    """
    if any(CONTROLS.search(block) for block in blocks):
        raise UserError(
            f"{name} has control characters in {encoding}, as no text does; in Windows they are quotes, "
            f"dashes and letters: set `encoding: {windows}`, or auto"
        )


def encodings_of_mark(start: bytes) -> tuple[str, ...]:
    """Return the encodings that go with the byte order mark at the start of a file; none without one."""
    return next((encodings for mark, encodings in MARKS.items() if start.startswith(mark)), ())


@dataclass
class Scan:
    """What a file turned out to be, read as UTF-8."""

    fault: int | None = None
    """Where the first byte stands that is not UTF-8."""
    sample: bytes = b""
    """What stands around it, or around the first escape of a text that is ASCII."""
    faults: int = 0
    """Bytes that are not UTF-8."""
    fitting: int = 0
    """Characters of UTF-8 beyond ASCII."""

    @property
    def share(self) -> float:
        """The share of what is beyond ASCII that is UTF-8."""
        return self.fitting / max(1, self.fitting + self.faults)


def scan(block: bytes, stream: BinaryIO, name: str) -> Scan:
    """Read a file to its end.

    Args:
        block: its start.
        stream: the rest.
        name: what to call it in messages.

    Raises:
        UserError: it has a zero byte, and is UTF-8 so far.
    """
    found, before, kept, offset = Scan(), b"", b"", 0
    while True:
        data, following = kept + block, stream.read(SAMPLE)
        if found.fault is None:
            try:
                text, used = codecs.utf_8_decode(data, "strict", not block)
            except UnicodeDecodeError as error:
                found.fault = offset + error.start
                found.sample = around(before + data + following, len(before) + error.start)
            else:
                if (zero := data.find(0)) >= 0:
                    raise UserError(
                        f"{name}: not text: the byte at offset {offset + zero:,} is zero; if it is a text, "
                        "set `encoding`"
                    )
                found.fitting += used - len(text)
                if not found.fitting and not found.sample and any(start in data for start in ESCAPE_STARTS):
                    match = ESCAPE.search(data)
                    found.sample = around(before + data, len(before) + match.start()) if match else b""
        if found.fault is not None:
            text, used = codecs.utf_8_decode(data, "replace", not block)
            faults = text.count("\ufffd")
            found.faults += faults
            found.fitting += len(text) - len(text.encode("ascii", "ignore")) - faults
        if not block:
            return found
        offset += used
        before, kept, block = data[:used], data[used:], following


def around(data: bytes, place: int) -> bytes:
    """Return the bytes about a place; the first of them begins a character.

    What stands before the place is nearly all ASCII. A byte below 128 may end a character, but the second of
    two is one itself.
    """
    start = max(0, place - SAMPLE // 2)
    if start:
        match = re.compile(rb"[\x00-\x7f]{2}").search(data, start, place)
        start = match.end() if match else start
    return data[start : start + SAMPLE]


def settle(found: Guess | None, scan: Scan, name: str) -> Guess:
    """Return a guess that is good enough.

    Raises:
        UserError: there is none, or another encoding is as likely, or too little speaks for it.
    """
    where = f"the byte at offset {scan.fault:,} is not UTF-8"
    if found is None:
        raise UserError(
            f"{name}: not text: {where}, and no other encoding fits; if it is a text, set `encoding`"
        )
    if is_too_little(scan.sample, found):
        raise UserError(
            f"{name}: {where}, and there are too few characters like it to tell the encoding "
            f"({', '.join(filter(None, (found.encoding, found.doubt)))} and others would fit); set `encoding`"
        )
    if found.is_toss_up:
        names = ", ".join((found.encoding, *found.rivals))
        raise UserError(f"{name}: {where}, and several encodings fit equally well ({names}); set `encoding`")
    return found


def certain(encoding: str) -> dict[str, Any]:
    """Return what is known of an encoding that is no guess."""
    return {"encoding": encoding, "guessed": False}


def announce(name: str, found: Guess, reason: str) -> dict[str, Any]:
    """Say that an encoding is a guess; return what is known, with a `rival` where few characters decide."""
    others = found.rivals or ((found.doubt,) if found.doubt else ())
    few = " from few characters" if found.doubt else ""
    rivals = f" ({', '.join(others)} would fit, too)" if others else ""
    print(
        f"{name}: not UTF-8 ({reason}); read as {found.encoding}, a guess{few}{rivals}; set `encoding` if it "
        "is wrong",
        flush=True,
    )
    return {"encoding": found.encoding, "guessed": True, **({"rival": found.doubt} if found.doubt else {})}
