"""Continuing texts as text: whole characters, up to a token that ends them or a stop text.

What comes out can be shown at once: bytes wait until they make a character, and the beginning of a stop text
waits until it is known to be none.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial

from torch import nn

from gptgrid.model.beam import search
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Rows, Token, check
from gptgrid.tokens.base import Codec

UNKNOWN = "\ufffd"
"""Stands for bytes that are no character."""


@dataclass(frozen=True)
class Piece:
    """What came next of one of several texts."""

    row: int
    """Number of the prompt."""
    text: str
    """Whole characters, nothing of a stop text."""
    tokens: tuple[Token, ...]
    """Those whose characters are in this text or in an earlier one, but for those of earlier pieces."""
    finish: str | None
    """None while it goes on; `end` at a token that ends it, `stop` at a stop text, `length` at the limit."""


@dataclass(frozen=True)
class Continuation:
    """What follows a prompt."""

    text: str
    tokens: tuple[Token, ...]
    """Without the token that ended it and those of which all characters are of the stop text or behind it."""
    finish: str
    """`end`, `stop` or `length`, as of a piece."""


def stream(
    module: nn.Module,
    codec: Codec,
    prompts: Sequence[str | list[int]],
    decoding: Decoding,
    max_new_tokens: int,
    seeds: Sequence[int],
    *,
    ends: Collection[int] = (),
    begins: bool = False,
    ignore_eos: bool = False,
    marks: bool = False,
    alternatives: int = 0,
) -> Iterator[Piece]:
    """Return an iterator of what follows prompts, as it comes; closing it ends the computation.

    The last piece of each prompt says how it ended. With `beams`, whose texts are known at their ends, it is
    the only one.

    Args:
        module: a model in eval mode.
        codec: its tokenizer.
        prompts: beginnings of documents, as texts or as ids with the end-of-text token in front, continued
            side by side, each as if it were alone.
        decoding: how to choose.
        max_new_tokens: tokens at most.
        seeds: of the draws, one for each prompt.
        ends: ids at which a continuation ends, beside the end-of-text token.
        begins: a continuation begins a text of its own, and does not go on with that of its prompt: then the
            blank that some tokenizers put before each text is no part of it.
        ignore_eos: go on after any of these, which are then tokens like any other.
        marks: read names of special tokens in a prompt as these, and show those that come.
        alternatives: how many of the likeliest tokens to name beside each.

    Raises:
        UserError: a setting is out of range, or a prompt cannot be read. It is raised by the call itself.
    """
    starts = [codec.begin(prompt, marks) if isinstance(prompt, str) else prompt for prompt in prompts]
    check(module, starts, decoding, max_new_tokens, seeds)
    final = frozenset(ends) | ({codec.eot} - {None})
    until = frozenset() if ignore_eos else final
    text = partial(Text, codec, decoding.stop, until, max_new_tokens, marks, begins)
    if decoding.beams > 1:
        return searched(module, starts, decoding, final, text, alternatives)
    return followed(Rows(module, starts, decoding, final, seeds, alternatives), [text() for _ in starts])


def complete(
    module: nn.Module,
    codec: Codec,
    prompts: Sequence[str | list[int]],
    decoding: Decoding,
    max_new_tokens: int,
    seeds: Sequence[int],
    *,
    ends: Collection[int] = (),
    begins: bool = False,
    ignore_eos: bool = False,
    marks: bool = False,
    alternatives: int = 0,
) -> list[Continuation]:
    """Return what follows each prompt; as `stream`, but when all is there."""
    pieces: list[list[Piece]] = [[] for _ in prompts]
    for piece in stream(
        module,
        codec,
        prompts,
        decoding,
        max_new_tokens,
        seeds,
        ends=ends,
        begins=begins,
        ignore_eos=ignore_eos,
        marks=marks,
        alternatives=alternatives,
    ):
        pieces[piece.row].append(piece)
    return [
        Continuation(
            "".join(piece.text for piece in row),
            tuple(token for piece in row for token in piece.tokens),
            row[-1].finish,
        )
        for row in pieces
    ]


def left_out(module: nn.Module, ids: list[int]) -> int:
    """Return how many tokens of a prompt the context has no room for: its first ones, which are not read."""
    return max(0, len(ids) - module.config.context)


def followed(rows: Rows, texts: list[Text]) -> Iterator[Piece]:
    """Yield pieces while tokens come."""
    while rows.rows:
        ended = set()
        for row, token in rows.advance():
            text, tokens, finish = texts[row].add(token)
            # The end of a character may come before the token that holds it is whole.
            if text or tokens or finish:
                yield Piece(row, text, tokens, finish)
            if finish:
                ended.add(row)
        rows.end(ended)


def searched(
    module: nn.Module,
    starts: Sequence[list[int]],
    decoding: Decoding,
    final: Set[int],
    texts: Callable[[], Text],
    alternatives: int,
) -> Iterator[Piece]:
    """Yield one piece for each prompt, by beam search."""

    def ends(tokens: list[Token]) -> bool:
        return spell(texts(), tokens)[2] is not None

    for row, start in enumerate(starts):
        text = texts()
        tokens = search(module, start, decoding, text.limit, final, ends, alternatives)
        yield Piece(row, *spell(text, tokens))


class Characters:
    """Bytes that become characters as they come."""

    def __init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    @property
    def waiting(self) -> bytes:
        """Bytes that more are needed for."""
        return self.decoder.getstate()[0]

    def add(self, content: bytes) -> tuple[str, str]:
        """Take bytes; return U+FFFD if those that waited are no character, else "", and their own text."""
        waited = self.waiting
        first = self.decoder.decode(content[:1])
        broken = bool(waited) and first.startswith(UNKNOWN) and waited + content[:1] != UNKNOWN.encode()
        return first[:broken], first[broken:] + self.decoder.decode(content[1:])


class Text:
    """The text of one continuation, as its tokens come."""

    def __init__(
        self,
        codec: Codec,
        stop: tuple[str, ...],
        ends: Set[int],
        limit: int,
        marks: bool = False,
        begins: bool = False,
    ) -> None:
        """Begin an empty text.

        Args:
            codec: gives bytes.
            stop: texts at which it ends.
            ends: the tokens at which it ends.
            limit: tokens at most.
            marks: show special tokens by their names.
            begins: see `stream`.
        """
        self.prefix = codec.prefix if begins else b""
        self.codec, self.stop, self.ends, self.limit, self.marks = codec, stop, ends, limit, marks
        self.characters = Characters()
        self.text, self.shown = "", 0
        """All characters, and how many of them were given out."""
        self.count = 0
        """Tokens so far."""
        self.waiting: list[tuple[Token, int, int]] = []
        """Tokens that were not given out, each with the place of its first character and behind its last."""

    def add(self, token: Token) -> tuple[str, tuple[Token, ...], str | None]:
        """Take the next token; return what may be shown now: text, tokens and finish of a `Piece`."""
        if token.id in self.ends:
            return self.show(len(self.text), "end")
        content = self.codec.decode_bytes([token.id], self.marks)
        if self.count == 0:
            content = content.removeprefix(self.prefix)
        before, own = self.characters.add(content)
        looked_at, start = len(self.text), len(self.text + before)
        self.text += before + own
        self.waiting.append((token, start, len(self.text) + bool(self.characters.waiting)))
        self.count += 1
        if (place := self.stops_at(looked_at)) is not None:
            return self.show(place, "stop")
        if self.count == self.limit:
            return self.show(len(self.text), "length")
        return self.show(len(self.text) - self.held_back(), None)

    def stops_at(self, start: int) -> int | None:
        """Return where the stop text begins that ends first; None if there is none.

        What stands before `start` was looked at already, but for what may begin a stop text.
        """
        found = []
        for stop in self.stop:
            place = self.text.find(stop, max(0, start - len(stop) + 1))
            if place >= 0:
                found.append((place + len(stop), place))
        return min(found)[1] if found else None

    def held_back(self) -> int:
        """Return how many of the last characters may be the beginning of a stop text."""
        lengths = (n for stop in self.stop for n in range(1, len(stop)) if self.text.endswith(stop[:n]))
        return max(lengths, default=0)

    def show(self, end: int, finish: str | None) -> tuple[str, tuple[Token, ...], str | None]:
        """Give out the text up to a place, and the tokens that belong to it."""
        text, self.shown = self.text[self.shown : end], max(self.shown, end)
        if finish is None:
            count = sum(behind <= end for _, _, behind in self.waiting)
        elif finish == "stop":
            count = sum(start < end for _, start, _ in self.waiting)
        else:
            count = len(self.waiting)
        tokens = tuple(token for token, _, _ in self.waiting[:count])
        del self.waiting[:count]
        return text, tokens, finish


def spell(text: Text, tokens: list[Token]) -> tuple[str, tuple[Token, ...], str | None]:
    """Return what a text that was empty shows after some tokens."""
    parts = [text.add(token) for token in tokens]
    return (
        "".join(part for part, _, _ in parts),
        tuple(token for _, some, _ in parts for token in some),
        parts[-1][2],
    )
