"""Bytes of a text file to text: byte order marks, UTF-8, and a best guess for everything else.

Files are read in blocks, so that their size does not matter. A byte that does not fit is an error that says
where it stands, unless the configuration has it replaced; then it is counted.
"""

import codecs
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from gptgrid.artifact.errors import UserError

BLOCK = 2**20
SAMPLE = 2**18
"""Bytes that a guess is made from, or as many before and behind a place."""

MARKS = (
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

LIKELY = (
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp874"),
    *("gb18030", "big5hkscs", "cp932", "euc_jp", "iso2022_jp", "cp949", "utf_16_le", "utf_16_be"),
)
"""What a guess may come to, more usual ones first. With the code pages of DOS, old Macs and the Baltic among
them, guesses on Western European texts are worse; for such texts set `encoding`."""


def detect(stream: BinaryIO, name: str) -> dict[str, Any]:
    """Read a file to its end and return its encoding, and whether it is a guess.

    Raises:
        UserError: no encoding makes text of it.
    """
    block = stream.read(SAMPLE)
    for mark, encoding in MARKS:
        if block.startswith(mark):
            return {"encoding": encoding, "guessed": False}
    if wide := wide_ascii(block):
        return announce(name, wide, "every second byte is zero")
    decoder = codecs.getincrementaldecoder("utf-8")()
    before, offset = b"", 0
    while True:
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            seen = before + block
            # The decoder may have kept bytes of the block before.
            place = len(seen) - len(error.object) + error.start
            at = offset - len(before) + place
            return announce(name, guess(around(seen, place), name, at), f"byte {at}")
        if not block:
            return {"encoding": "utf-8", "guessed": False}
        offset += len(block)
        before, block = block, stream.read(SAMPLE)


def wide_ascii(block: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark whose letters are ASCII: as UTF-8 it would pass."""
    for encoding, zeros, letters in (("utf_16_le", 1, 0), ("utf_16_be", 0, 1)):
        high = block[zeros::2]
        if len(high) >= 2 and high.count(0) > 0.7 * len(high) and not block[letters::2].count(0):
            return encoding
    return None


def around(data: bytes, place: int) -> bytes:
    """Return the bytes about a place, from the start of a line on where they do not reach the start."""
    start = max(0, place - SAMPLE // 2)
    if start:
        start = data.find(b"\n", start, place) + 1 or start
    return data[start : start + SAMPLE]


def announce(name: str, encoding: str, reason: str) -> dict[str, Any]:
    """Say that an encoding is a guess."""
    print(
        f"{name}: not UTF-8 ({reason}); read as {encoding}, a guess; set `encoding` if it is wrong",
        flush=True,
    )
    return {"encoding": encoding, "guessed": True}


def guess(sample: bytes, name: str, offset: int) -> str:
    """Return the likeliest encoding of bytes that are not UTF-8; `offset` is where in the file."""
    # Loaded only where it is needed: nearly every text is UTF-8.
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=list(LIKELY))
    if (best := matches.best()) is None:
        raise UserError(
            f"{name}: not text: the byte at offset {offset} is not UTF-8, and no other encoding fits; "
            "if it is a text, set `encoding`"
        )
    # Short texts fit several encodings equally well; the library then takes the first by name.
    equal = [match for match in matches if (match.chaos, match.coherence) == (best.chaos, best.coherence)]
    fitting = {encoding for match in equal for encoding in match.could_be_from_charset}
    return next(encoding for encoding in LIKELY if encoding in fitting)


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
    """Yield the text of a file in blocks, with LF line ends and without a byte order mark.

    Args:
        stream: the file, from its start.
        name: what to call it in errors.
        encoding: a Python codec.
        errors: `strict`, or `replace` by U+FFFD.
        facts: gets, at the end, `line_ends` (which there are) and `replaced` (how many bytes).

    Raises:
        UserError: the encoding is unknown, or does not fit.
    """
    replacements = Replacements()
    decoder = decoder_of(encoding, name, Replacements.NAME if errors == "replace" else "strict")
    lines = io.IncrementalNewlineDecoder(decoder, translate=True)
    offset, started = 0, False
    while True:
        block = stream.read(BLOCK)
        offset += len(block)
        try:
            text = lines.decode(block, final=not block)
        except UnicodeDecodeError as error:
            # The decoder may have kept bytes of the block before.
            place = offset - len(error.object) + error.start
            raise UserError(
                f"{name}: not {encoding}: byte {error.object[error.start]:#04x} at offset {place} "
                f"({error.reason}); fix the file, set `encoding` to what it is in (auto guesses), or "
                "`errors: replace`"
            ) from None
        if text and not started:
            text, started = text.removeprefix("\ufeff"), True
        if text:
            yield text
        if not block:
            break
    newlines = lines.newlines or ()
    ends = {"\r": "CR", "\n": "LF", "\r\n": "CRLF"}
    facts["line_ends"] = sorted(ends[end] for end in ([newlines] if isinstance(newlines, str) else newlines))
    facts["replaced"] = replacements.count


def decoder_of(encoding: str, name: str, errors: str) -> codecs.IncrementalDecoder:
    """Return a decoder for an encoding of texts."""
    try:
        b"a".decode(encoding, "ignore")  # knows codecs that are none of texts
        return codecs.getincrementaldecoder(encoding)(errors)
    except LookupError:
        raise UserError(
            f"{name}: encoding {encoding!r} is unknown; give a name that Python knows "
            "(utf-8, gb18030, shift_jis, latin-1, …) or auto"
        ) from None
