"""The text that ids stand for, many at once, and which kind of letters each of them writes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from gptgrid.text.writing_systems import NAMES, runs
from gptgrid.tokens.base import Codec

SPECIAL = "special tokens"
KINDS = (SPECIAL, "marks", "digits", "other", *NAMES)
"""What a token may write. One that writes several counts for the one that comes last here, so that a word
with a blank before it counts for its letters."""
SURROGATES = range(0xD800, 0xE000)
"""Code points that are no characters."""
POINTS = 0x110000


class Spelling:
    """The bytes of every token of a text."""

    def __init__(self, codec: Codec, marks: bool) -> None:
        """Look up all tokens of a tokenizer.

        Args:
            codec: the tokenizer.
            marks: special tokens stand for their names in the text; otherwise they stand for nothing.
        """
        self.codec, self.marks = codec, marks
        pieces = [codec.token_bytes(index) for index in range(codec.vocab_size)]
        for name, index in codec.special_tokens.items():
            pieces[index] = name.encode() if marks and index != codec.eot else b""
        self.pieces = pa.array(pieces, pa.large_binary())

    def spell(self, ids: np.ndarray) -> tuple[bytes, np.ndarray]:
        """Return what ids stand for, and where each begins in it, the end as one more: (ids + 1,) int64."""
        _, borders, text = self.pieces.take(pa.array(ids)).buffers()
        return b"" if text is None else text.to_pybytes(), np.frombuffer(borders, np.int64, len(ids) + 1)

    def written(self, text: str) -> bytes:
        """Return what the ids of a document should stand for: its text, and what a tokenizer puts before."""
        pieces = self.codec.marked(text) if self.marks else [text]
        parts = (
            self.spell(np.array(piece))[0] if isinstance(piece, list) else self.codec.prefix + piece.encode()
            for piece in pieces
            if piece
        )
        return b"".join(parts)

    def kinds(self, ids: np.ndarray) -> np.ndarray:
        """Return what each id of some whole documents writes, as its place in KINDS: (ids,) uint8.

        Bytes that are part of a character count for that.
        """
        text, borders = self.spell(ids)
        points = np.frombuffer(text.decode().encode("utf-32-le"), np.uint32)
        lengths = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
        of_bytes = np.repeat(kinds_of_points()[points], lengths)
        special = np.isin(ids, list(self.codec.special_tokens.values()))
        written = ~special & (np.diff(borders) > 0)
        kinds = np.zeros(len(ids), np.uint8)
        if written.any():
            # What special tokens write in between belongs to the token before, which would count for it.
            of_bytes[np.repeat(special, np.diff(borders))] = 0
            kinds[written] = np.maximum.reduceat(of_bytes, borders[:-1][written])
        return kinds


@cache
def kinds_of_points() -> np.ndarray:
    """Return what each code point is, as its place in KINDS: (POINTS,) uint8."""
    kinds = np.full(POINTS, KINDS.index("marks"), np.uint8)
    for part in (range(SURROGATES.start), range(SURROGATES.stop, POINTS)):
        place = part.start
        for kind, run in runs("".join(map(chr, part))):
            kinds[place : place + len(run)] = KINDS.index(kind)
            place += len(run)
    return kinds
