"""Continuing many prompts at once, up to so many tokens, or bytes where there is a text to compare with."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from contextlib import closing
from types import SimpleNamespace

from torch import nn

from gptgrid.model.continuation import Piece, stream
from gptgrid.model.decoding import Decoding
from gptgrid.stages.sample.prompts import first_bytes
from gptgrid.tokens.base import Codec

LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8 at most."""


class Written:
    """What a model wrote behind a prompt."""

    def __init__(self, codec: Codec, size: int | None, marks: bool) -> None:
        """Begin an empty text.

        Args:
            codec: gives the bytes of tokens.
            size: bytes after which it is cut; None for no limit.
            marks: show special tokens by their names.
        """
        self.codec, self.size, self.marks = codec, size, marks
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.text = ""
        self.place = 0
        """Characters of the tokens that count, the last of which may go on behind the cut."""
        self.tokens = 0
        """Those that begin before the cut."""
        self.full = False
        self.ended = False
        """By itself, before a limit."""
        self.done = False

    def add(self, piece: Piece) -> None:
        """Go on, until the text has its size and all tokens of it are counted."""
        if self.done:
            return
        if not self.full:
            self.text += piece.text
        if self.size is not None and len(self.text.encode()) >= self.size:
            self.text, self.full = first_bytes(self.text, self.size), True
        for token in piece.tokens:
            if self.covered:
                break
            self.tokens += 1
            self.place += len(self.decoder.decode(self.codec.decode_bytes([token.id], self.marks)))
        # A token may have no byte, as the end of a text that is gone on from.
        enough = self.size is not None and self.tokens >= self.size
        self.done = self.covered or enough or piece.finish is not None
        self.ended = not self.full and piece.finish in ("end", "stop")

    @property
    def covered(self) -> bool:
        """Return whether the text was cut, and its tokens are all there."""
        return self.full and self.place >= len(self.text)


def continue_all(
    module: nn.Module,
    codec: Codec,
    prompts: Sequence[str],
    sizes: Sequence[int | None],
    decoding: Decoding,
    max_new_tokens: int,
    seeds: Sequence[int],
    rows: int,
    ignore_eos: bool,
    marks: bool,
) -> list[Written]:
    """Return the continuations of prompts, `rows` of them at a time; each is what its prompt alone gives.

    Args:
        module: the trained model.
        codec: its tokenizer.
        prompts: texts to continue.
        sizes: of each, bytes of the continuation at most; None: `max_new_tokens` tokens, in place of bytes.
        decoding: how to choose.
        max_new_tokens: of a continuation without a size.
        seeds: of the draws of each.
        rows: prompts that go on together.
        ignore_eos: go on after the end of a text.
        marks: whether names of special tokens in a text are these.

    Raises:
        UserError: a setting is out of range.
    """
    written = [Written(codec, size, marks) for size in sizes]
    # Beams are searched for one prompt after the other anyway, and what they find depends on the limit.
    rows = 1 if decoding.beams > 1 else rows
    for first in range(0, len(prompts), rows):
        batch = slice(first, first + rows)
        # A token of a text has a byte at least; the last may begin a character, whose end is waited for.
        limit = max(max_new_tokens if size is None else size + LONGEST_CHARACTER - 1 for size in sizes[batch])
        pieces = stream(
            module, codec, prompts[batch], decoding, limit, seeds[batch], ignore_eos=ignore_eos, marks=marks
        )
        with closing(pieces):
            for piece in pieces:
                written[first + piece.row].add(piece)
                if all(row.done for row in written[batch]):
                    break
    return written


def decoding_of(settings: SimpleNamespace) -> Decoding:
    """Return the decoding that a request describes."""
    values = vars(settings)
    return Decoding(**{**values, "stop": tuple(values.get("stop", ()))})
