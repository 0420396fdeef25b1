"""The passages of a text that a model predicts worst, while the nats of its tokens come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import nlargest

import numpy as np

from gptgrid.tokens.base import Codec
from gptgrid.tokens.shards import Shards

LENGTH = 100
"""Bytes of a passage, about: it ends with a token, and not within a character."""


@dataclass(frozen=True)
class Passage:
    """A place in a text."""

    offset: int
    """Bytes of the text before it."""
    bytes: int
    nats: float
    """Sum over its tokens."""
    text: str

    @property
    def bpb(self) -> float:
        """Return its bits per byte."""
        return self.nats / math.log(2) / self.bytes


class Passages:
    """A text in passages, of which the worst are kept."""

    def __init__(self, codec: Codec, tokens: Shards, marks: bool, most: int) -> None:
        """Begin at the first token that is scored.

        Args:
            codec: the tokenizer.
            tokens: of the text, the first of which is not scored.
            marks: names of special tokens in the text were read as these.
            most: how many passages are kept.
        """
        self.codec, self.tokens, self.marks, self.most = codec, tokens, marks, most
        self.worst: list[Passage] = []
        self.nats = np.zeros(0)
        """Of the tokens of the latest passage, which may go on."""
        self.first, self.offset = 1, -len(codec.prefix)
        """Its first token, and the bytes of the text before it."""
        spelled = [codec.decode_bytes([index], marks) for index in range(codec.vocab_size)]
        self.sizes = np.array(list(map(len, spelled)))
        self.inside = np.array([len(piece) > 0 and 0x80 <= piece[0] < 0xC0 for piece in spelled])
        """Which tokens begin within a character."""

    def add(self, nats: np.ndarray) -> None:
        """Take the nats of the next tokens; all passages but the latest are known then."""
        self.nats = np.concatenate([self.nats, nats])
        borders, starts = self.cut()
        self.keep(borders, starts)
        last = borders[-1]
        self.nats, self.first, self.offset = self.nats[last:], self.first + last, starts[last]

    def finish(self) -> tuple[Passage, ...]:
        """Return the passages of most nats per byte, the worst first."""
        borders, starts = self.cut()
        # A rest tells little: a byte alone may be worse than any passage.
        if not self.worst or starts[-1] - starts[0] >= LENGTH // 2:
            self.keep([*borders, len(self.nats)], starts)
        return tuple(self.worst)

    def cut(self) -> tuple[list[int], np.ndarray]:
        """Return which waiting tokens begin a passage, and the bytes before each and behind the last."""
        ids = self.tokens[self.first : self.first + len(self.nats)]
        starts = self.offset + np.append(0, np.cumsum(self.sizes[ids]))
        # A token within a character belongs to the passage in which the character begins.
        numbers = np.where(self.inside[ids], 0, np.maximum(0, starts[:-1]) // LENGTH)
        numbers = np.maximum.accumulate(np.maximum(numbers, max(0, self.offset) // LENGTH))
        return np.flatnonzero(np.diff(numbers, prepend=-1)).tolist(), starts

    def keep(self, borders: list[int], starts: np.ndarray) -> None:
        """Keep the worst of the passages between borders, and of those that there are."""
        if len(borders) < 2:
            return
        sums = np.add.reduceat(self.nats[: borders[-1]], borders[:-1])
        each = sums / np.diff(starts[borders])
        for place in np.argsort(-each, kind="stable")[: self.most]:
            begin, end = borders[place], borders[place + 1]
            said = self.codec.decode_bytes(self.tokens[self.first + begin : self.first + end], self.marks)
            start, behind = max(0, int(starts[begin])), int(starts[end])
            text = said[start - int(starts[begin]) :].decode("utf-8", errors="replace")
            self.worst.append(Passage(start, behind - start, float(sums[place]), text))
        self.worst = nlargest(self.most, self.worst, key=lambda passage: passage.bpb)
