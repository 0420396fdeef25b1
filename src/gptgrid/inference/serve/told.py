"""Tokens as clients know them: as texts with probabilities and places."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gptgrid.model.continuation import Characters
from gptgrid.tokens.base import Codec


class Known(NamedTuple):
    """What is known of a token."""

    id: int
    logprob: float | None
    """ln of its probability; None for the first token of a text."""
    alternatives: tuple[tuple[int, float], ...]
    """The likeliest ids in its place, with theirs."""


class Name(NamedTuple):
    """A token without its place."""

    text: str
    bytes: bytes
    logprob: float | None


class Told(NamedTuple):
    """A token as a client knows it."""

    name: Name
    alternatives: list[Name]
    place: int
    """Characters before it in the text of the answer."""


class Teller:
    """Tells of the tokens of one answer, in order."""

    def __init__(self, codec: Codec, marks: bool) -> None:
        """Begin at the beginning; with `marks` special tokens are shown in the text."""
        self.codec, self.marks = codec, marks
        self.special = {index: name.encode() for name, index in codec.special_tokens.items()}
        self.begin(0)

    def begin(self, place: int) -> None:
        """Go on at a place, whatever bytes have waited for others."""
        self.place = place
        self.characters = Characters()

    def tell(self, tokens: Iterable[Known], prefix: bytes = b"") -> tuple[Told, ...]:
        """Return the next tokens; a prefix of the first one is not in the text."""
        told = []
        for token in tokens:
            others = [self.name(index, logprob) for index, logprob in token.alternatives]
            shown = self.codec.decode_bytes([token.id], self.marks).removeprefix(prefix)
            before, own = self.characters.add(shown)
            self.place += len(before)
            told.append(Told(self.name(token.id, token.logprob), others, self.place))
            self.place += len(own)
            prefix = b""
        return tuple(told)

    def name(self, index: int, logprob: float | None) -> Name:
        """Return a token; of bytes that are no whole characters the text is as in OpenAI's API."""
        content = self.special.get(index) or self.codec.token_bytes(index)
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = "bytes:" + "".join(f"\\x{value:02x}" for value in content)
        return Name(text, content, logprob)
