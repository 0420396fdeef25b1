"""Bytes of a file to text with LF line ends, block by block, so that the size of the file does not matter.

A byte that does not fit is an error that says where it stands, unless the configuration has it replaced; then
it is counted.
"""

import codecs
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.detection import encodings_of_mark
from gptgrid.stages.corpus.reading.line_ends import counted, unify_blocks

OF_NAMES_AND_SOURCE = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
"""Python's codecs for host names and for its own source; no file of text is written in one."""
BLOCK = 2**20
KEYS = "`encoding` says what it is in (auto guesses), and `errors: replace` leaves bytes out"
END_MARK = "\x1a"
"""Control-Z, at which programs of DOS take a text to end."""
LONGEST_MARK = 4
"""Bytes of the longest byte order mark."""


class Replacements:
    """An error handler of Python's codecs that puts U+FFFD for what does not fit, and counts."""

    NAME = "gptgrid.replace"

    def __init__(self) -> None:
        self.count = 0
        codecs.register_error(self.NAME, self)

    def __call__(self, error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        self.count += 1
        return "\ufffd", error.end


def decode(stream: BinaryIO, name: str, encoding: str, errors: str, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the text of a file in blocks, with LF line ends, without a byte order mark and an END_MARK.

    Args:
        stream: the file, from its start.
        name: what to call it in errors.
        encoding: a Python codec.
        errors: `strict`, or `replace` by U+FFFD.
        facts: gets, at the end, `mark` (whether there was a byte order mark), `line_ends` (LF, CRLF, CR → how
            many there were) and `replaced` (how many bytes, or runs of bytes).

    Raises:
        UserError: the encoding is unknown, or does not fit.
    """
    replacements, ends = Replacements(), Counter()
    decoder = decoder_of(encoding, name, Replacements.NAME if errors == "replace" else "strict")
    start = stream.read(LONGEST_MARK)
    facts["mark"] = check_mark(start, name, encoding)
    yield from unify_blocks(without_end_mark(decoded_blocks(start, stream, name, encoding, decoder)), ends)
    facts["line_ends"] = counted(ends)
    facts["replaced"] = replacements.count


def decoded_blocks(
    block: bytes, stream: BinaryIO, name: str, encoding: str, decoder: codecs.IncrementalDecoder
) -> Iterator[str]:
    """Yield the text of a file in blocks, without a byte order mark; `block` is its start.

    Raises:
        UserError: a byte does not fit.
    """
    offset, started = 0, False
    while True:
        offset += len(block)
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            # The decoder may have kept bytes of the block before.
            place = offset - len(error.object) + error.start
            raise UserError(
                f"{name}: not {encoding}: byte {error.object[error.start]:#04x} at offset {place} "
                f"({error.reason}); fix the file; with `source: files` or `url`, {KEYS}"
            ) from None
        if text and not started:
            text, started = text.removeprefix("\ufeff"), True
        if text:
            yield text
        if not block:
            return
        block = stream.read(BLOCK)


def without_end_mark(blocks: Iterator[str]) -> Iterator[str]:
    """Yield a text without the END_MARK at its end, or several, which filled up the last block of a disk."""
    held = ""
    for block in blocks:
        text = held + block
        kept = text.rstrip(END_MARK)
        held = text[len(kept) :]
        if kept:
            yield kept


def check_mark(start: bytes, name: str, encoding: str) -> bool:
    """Return whether a file has a byte order mark.

    Raises:
        UserError: it is the mark of another encoding, or missing where the encoding asks for one.
    """
    marked, codec = encodings_of_mark(start), codecs.lookup(encoding).name
    if marked and codec not in marked:
        raise UserError(
            f"{name}: not {encoding}: it starts with the byte order mark of {marked[1]}; set "
            "`encoding: auto`, which `source: files` and `url` have"
        )
    if start and not marked and codec in ("utf-16", "utf-32"):
        raise UserError(
            f"{name}: {encoding} without a byte order mark; set `encoding` to {encoding}-le or {encoding}-be"
        )
    return bool(marked)


def decoder_of(encoding: str, name: str, errors: str) -> codecs.IncrementalDecoder:
    """Return a decoder for an encoding of texts."""
    try:
        b"a".decode(encoding, "ignore")  # knows codecs that are none of texts
        if codecs.lookup(encoding).name in OF_NAMES_AND_SOURCE:
            raise LookupError
        return codecs.getincrementaldecoder(encoding)(errors)
    except (LookupError, ValueError):  # a zero byte in the name is a ValueError, as is `undefined`
        raise UserError(
            f"{name}: encoding {encoding!r} is unknown; give a name that Python knows "
            "(utf-8, gb18030, shift_jis, latin-1, …) or auto"
        ) from None
