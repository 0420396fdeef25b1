"""Continuing many prompts at once, up to so many tokens, or bytes where there is a text to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.model.continuation import Piece, stream
from gptgrid.model.decoding import Decoding
from gptgrid.model.memory import check_inference
from gptgrid.stages.sample.prompts import first_bytes
from gptgrid.tokens.base import Codec

ROWS = 64
"""Prompts that go on together at most."""


@dataclass
class Written:
    """What a model wrote behind a prompt."""

    size: int | None
    """Bytes after which it is cut; None for no limit."""
    text: str = ""
    tokens: int = 0
    ended: bool = False
    """By itself, before a limit."""
    done: bool = False

    def add(self, piece: Piece) -> None:
        """Go on, unless the text has its size."""
        if self.done:
            return
        self.text += piece.text
        self.tokens += len(piece.tokens)
        full = self.size is not None and len(self.text.encode()) >= self.size
        if full:
            self.text = first_bytes(self.text, self.size)
        self.done = full or piece.finish is not None
        self.ended = not full and piece.finish in ("end", "stop")


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
    """Return the continuations of prompts, `rows` of them at a time.

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
    written = [Written(size) for size in sizes]
    for first in range(0, len(prompts), rows):
        batch = slice(first, first + rows)
        # A token of a text has a byte at least.
        limit = max(max_new_tokens if size is None else size for size in sizes[batch])
        pieces = stream(
            module, codec, prompts[batch], decoding, limit, seeds[batch], ignore_eos=ignore_eos, marks=marks
        )
        with closing(pieces):
            for piece in pieces:
                written[first + piece.row].add(piece)
                if all(row.done for row in written[batch]):
                    break
    return written


def rows_that_fit(config: SimpleNamespace, vocab_size: int, rows: int, device: torch.device) -> int:
    """Return how many of some prompts the memory lets go on together, ROWS at most.

    Raises:
        UserError: not even one.
    """
    rows = min(rows, ROWS)
    while True:
        try:
            check_inference(config, vocab_size, rows, device, generates=True)
        except UserError:
            if rows == 1:
                raise
            rows //= 2
        else:
            return rows


def decoding_of(settings: SimpleNamespace) -> Decoding:
    """Return the decoding that a request describes."""
    values = vars(settings)
    return Decoding(**{**values, "stop": tuple(values.get("stop", ()))})
