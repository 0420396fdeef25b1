"""Whether a file is in the encoding that a person gave; where it is not, letters would become others."""

from __future__ import annotations

import codecs
from typing import Any, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.detection import (
    DAMAGED,
    SAMPLE,
    certain,
    doubts_of_parts,
    encodings_of_mark,
    reads_as,
    refuse_controls,
)
from gptgrid.stages.corpus.reading.encoding import decoder_of
from gptgrid.stages.corpus.reading.guessing import are_variants, guess, guess_wide, is_too_little
from gptgrid.stages.corpus.reading.scanning import Scan, scan

UTF8 = ("utf-8", "utf-8-sig")
BY_CHANCE = 3
"""So many characters of a text may be UTF-8 by chance where nothing else is beyond ASCII."""
BY_CHANCE_AMONG_OTHERS = 16
"""So many may be most of what is beyond ASCII by chance."""
WIDE = ("utf-16", "utf-32")
SURE = 64
"""More bytes than these that are UTF-8 without a zero are not UTF-16 or UTF-32."""


def check_given(stream: BinaryIO, name: str, encoding: str, errors: str = "strict") -> dict[str, Any]:
    """Return the `encoding` that a person gave, which is not `guessed`, after a look at a file.

    Where the text speaks for another, that is its `rival`. `doubts` say what else is read wrong.

    Args:
        stream: the file, from its start.
        name: what to call it in messages.
        encoding: a Python codec.
        errors: with `replace`, UTF-8 is refused for a text that is in another encoding.

    Raises:
        UserError: there is no such encoding, or the file is UTF-8, of Windows or UTF-16, and that is another
            one: letters would become others.
    """
    decoder_of(encoding, name, errors="strict")
    codec = codecs.lookup(encoding).name
    start = stream.read(SAMPLE)
    if encodings_of_mark(start):
        return certain(encoding)
    found = scan(start, stream, SAMPLE)
    wide = guess_wide(start) if b"\0" in start else None
    if codec.startswith(WIDE):
        return check_wide(found, name, encoding, wide)
    if wide:
        raise UserError(
            f"{name} is {wide}, not {encoding}: it has zeros between its letters; set `encoding: {wide}`, or "
            "auto, which looks at each file"
        )
    rival = check_narrow(found, name, encoding, errors)
    doubts = [] if rival else doubts_of_parts(found, encoding)
    if found.zeros:
        doubts.append(
            f"{found.zeros:,} of the {found.size:,} bytes are zeros (the first at offset {found.zero:,}), "
            "which no text has, and are characters of the documents; look whether it is a text, and take "
            "them out"
        )
    if found.fault is not None and codec not in UTF8 and found.is_mixed(not is_multibyte(codec)):
        doubts.append(
            f"{found.share:.2%} of what is beyond ASCII is UTF-8 (most of it in a row from offset "
            f"{found.longest_at:,} on) and read as {encoding}, as `encoding` says: its letters become "
            "others; convert the parts of the file to one encoding"
        )
    return certain(encoding) | ({"rival": rival} if rival else {}) | ({"doubts": doubts} if doubts else {})


def check_wide(found: Scan, name: str, encoding: str, wide: str | None) -> dict[str, Any]:
    """Return what is known of a file without a mark that is said to be UTF-16 or UTF-32.

    Raises:
        UserError: it is UTF-8.
    """
    if found.fault is None and not found.zeros and found.size > SURE:
        raise UserError(f"{name} is UTF-8, not {encoding}; set `encoding: auto`, which looks at each file")
    if wide and codecs.lookup(wide).name != codecs.lookup(encoding).name:
        return {**certain(encoding), "rival": wide}
    return certain(encoding)


def check_narrow(found: Scan, name: str, encoding: str, errors: str) -> str | None:
    """Return which other encoding a text looks like that is said to be in an encoding of bytes.

    Raises:
        UserError: it is in another.
    """
    codec = codecs.lookup(encoding).name
    whole = found.fault is None
    if not found.fitting and whole:
        return None
    if codec not in UTF8 and found.share > DAMAGED:
        if found.fitting > (BY_CHANCE if whole else BY_CHANCE_AMONG_OTHERS):
            but = "" if whole else " but for some bytes"
            raise UserError(
                f"{name} is UTF-8{but}, not {encoding}; set `encoding: auto`, which looks at each file"
            )
        return "utf-8" if whole else None
    if found.share > DAMAGED:
        return None
    refuse_controls(found, name, encoding)
    guessed = guess(found.sample)
    if guessed is None or guessed.is_toss_up or is_too_little(found.sample, guessed):
        return None
    if codec in UTF8:
        refuse_loss(guessed.encoding, name, errors)
        return None
    variants = are_variants(guessed.encoding, codec)
    if guessed.doubt or variants or reads_as(found.sample, guessed.encoding, encoding):
        return None
    print(f"{name} is read as {encoding}, as `encoding` says; it looks like {guessed.encoding}", flush=True)
    return guessed.encoding


def refuse_loss(guessed: str, name: str, errors: str) -> None:
    """Refuse to read a text of which little is UTF-8 as UTF-8 where what does not fit is replaced.

    Raises:
        UserError: it is.
    """
    if errors == "replace":
        raise UserError(
            f"{name} is not UTF-8, and most of what is beyond ASCII would be lost; it looks like {guessed}: "
            "set `encoding` to that, or to auto"
        )


def is_multibyte(encoding: str) -> bool:
    """Return whether an encoding has characters of several bytes."""
    return len("我あ가".encode(encoding, "ignore")) > 1
