"""Which encoding a file is in: by its byte order mark, UTF-8, and otherwise a guess, which is announced."""

from __future__ import annotations

import codecs
from typing import Any, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.guessing import (
    LATIN,
    ONE_BYTE,
    Guess,
    are_variants,
    guess,
    guess_escaped,
    guess_wide,
    has_foreign_words,
    is_too_little,
)
from gptgrid.stages.corpus.reading.scanning import Scan, scan

SAMPLE = 2**17
"""Bytes that a guess is made from."""
END = 2**14
"""Bytes at the end of a text that must be in its encoding, too."""
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
WINDOWS = {
    **dict.fromkeys(("iso8859-1", "iso8859-15"), "cp1252"),
    **{"iso8859-2": "cp1250", "iso8859-5": "cp1251", "iso8859-6": "cp1256", "iso8859-7": "cp1253"},
    **{"iso8859-8": "cp1255", "iso8859-9": "cp1254", "iso8859-13": "cp1257"},
}
"""Encoding of ISO, with control characters between 0x80 and 0x9f → that of Windows for the same languages."""


def detect(stream: BinaryIO, name: str, errors: str = "strict") -> dict[str, Any]:
    """Read a file to its end and return its `encoding`, and whether that is `guessed`.

    Args:
        stream: the file, from its start.
        name: what to call it in messages.
        errors: with `replace`, UTF-8 with a few other bytes in it is UTF-8.

    Raises:
        UserError: no encoding makes text of it, or two do so equally well, or parts of it are in different
            ones.
    """
    start = stream.read(SAMPLE)
    if marked := encodings_of_mark(start):
        return certain(marked[0])
    if b"\0" in start and (wide := guess_wide(start)):
        return announce(name, Guess(wide), "it has zeros between its letters")
    found = scan(start, stream, SAMPLE)
    if found.fault is None:
        refuse_zeros(found, name)
        escaped = guess_escaped(found.sample) if found.sample and not found.fitting else None
        return announce(name, escaped, "it has escapes for characters") if escaped else certain("utf-8")
    if found.share > DAMAGED:
        if errors == "strict":
            raise UserError(
                f"{name}: the byte at offset {found.fault:,} is not UTF-8, as other characters in it are; "
                "fix the file, set `errors: replace`, or set `encoding` if it is another one"
            )
        refuse_zeros(found, name)
        return certain("utf-8")
    refuse_parts(found, name, found.is_mixed(one_byte=False))
    guessed = settle(guess(found.sample), found, name)
    mixed = found.is_mixed(guessed.encoding in ONE_BYTE) or (
        guessed.encoding in LATIN and found.share > MIXED
    )
    refuse_parts(found, name, mixed)
    refuse_zeros(found, name)
    refuse_controls(found, name, guessed.encoding)
    doubts = doubts_of_parts(found, guessed.encoding)
    return announce(name, guessed, f"byte {found.fault:,}") | ({"doubts": doubts} if doubts else {})


def doubts_of_parts(found: Scan, encoding: str) -> list[str]:
    """Return what to say where a part of a text seems to be in another encoding; nothing where none does."""
    codec = codecs.lookup(encoding).name
    alike = codec if codec in ONE_BYTE else WINDOWS.get(codec, codec)
    if any(has_foreign_words(part, alike) for part in (found.sample, found.last, *found.others)):
        sign = "letters of two scripts stand in one word, or words of one among those of another"
    elif other := guess_of_end(found.last, alike):
        sign = f"its end looks like {other}"
    elif alike in ONE_BYTE and (other := guess_of_any(found.others, alike)):
        sign = f"some of it looks like {other}"
    else:
        return []
    return [
        f"read as {encoding}, but {sign}: a part of the file seems to be in another encoding; look at it, "
        "and convert its parts to one"
    ]


def guess_of_any(blocks: list[bytes], encoding: str) -> str | None:
    """Return the encoding that the end of one of some blocks is in, if that is surely another; else None."""
    return next(filter(None, (guess_of_end(block, encoding) for block in blocks)), None)


def guess_of_end(block: bytes, encoding: str) -> str | None:
    """Return the encoding that the end of a text is in, if that is surely another; else None.

    Args:
        block: the last bytes of the text.
        encoding: that it is read in.
    """
    _, line_end, end = block[-END:].partition(b"\n")
    found = guess(end) if line_end and end else None
    if found is None or found.is_toss_up or found.doubt or is_too_little(end, found):
        return None
    same = are_variants(found.encoding, encoding) or {found.encoding, encoding} <= set(LATIN)
    return None if same or reads_as(end, found.encoding, encoding) else found.encoding


def reads_as(sample: bytes, encoding: str, other: str) -> bool:
    """Return whether a sample is the same text in two encodings."""
    return sample.decode(encoding, "replace") == sample.decode(other, "replace")


def refuse_zeros(found: Scan, name: str) -> None:
    """Refuse a file with a zero byte.

    Raises:
        UserError: it has one.
    """
    if found.zeros:
        raise UserError(
            f"{name}: not text: the byte at offset {found.zero:,} is zero; if it is a text, set `encoding`"
        )


def refuse_parts(found: Scan, name: str, mixed: bool) -> None:
    """Refuse a file that is put together of texts in UTF-8 and in another encoding.

    Raises:
        UserError: it is `mixed`.
    """
    if mixed:
        raise UserError(
            f"{name} is put together of texts in different encodings: {found.share:.2%} of what is beyond "
            f"ASCII is UTF-8 (most of it in a row from offset {found.longest_at:,} on), and the byte at "
            f"offset {found.fault:,} is not UTF-8; convert its parts to one encoding, or set `encoding` to "
            "that of the larger part, so that the other is read wrong"
        )


def refuse_controls(found: Scan, name: str, encoding: str) -> None:
    """Refuse bytes that are control characters in an encoding of ISO, and letters or signs in Windows.

    Raises:
        UserError: there is one.
    """
    windows = WINDOWS.get(codecs.lookup(encoding).name)
    if windows and found.has_controls:
        raise UserError(
            f"{name} has control characters in {encoding}, as no text does; in Windows they are quotes, "
            f"dashes and letters: set `encoding: {windows}`, or auto"
        )


def encodings_of_mark(start: bytes) -> tuple[str, ...]:
    """Return the encodings that go with the byte order mark at the start of a file; none without one."""
    return next((encodings for mark, encodings in MARKS.items() if start.startswith(mark)), ())


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
