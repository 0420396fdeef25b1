"""What all tokenizers share: text to ids and back, lossless on every text that UTF-8 can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gptgrid.artifact.errors import UserError

END_OF_TEXT = "<|endoftext|>"


class Codec:
    """A tokenizer. Special tokens that a text spells out are ordinary text there."""

    kind: str
    vocab_size: int
    eot: int | None
    """The end-of-text id that begins every document; None where there is none."""
    special_tokens: dict[str, int]
    """Name → id of tokens that stand for no text, the end of text among them."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UserError: the text holds half a surrogate pair, which UTF-8 cannot.
        """
        return self.encode_array(text).tolist()

    def encode_array(self, text: str) -> np.ndarray:
        """Return the ids of a text as a uint32 array."""
        raise NotImplementedError

    def encode_stream(self, texts: Sequence[str]) -> np.ndarray:
        """Return the ids of documents one after the other, each behind an end-of-text token (uint32)."""
        mark = [] if self.eot is None else [np.array([self.eot], dtype=np.uint32)]
        return np.concatenate([part for text in texts for part in (*mark, self.encode_array(text))])

    def encode_marked(self, text: str) -> list[int]:
        """Return the ids of a text in which the names of special tokens mean these, as in a chat."""
        if not self.special_tokens:
            return self.encode(text)
        names = re.compile(f"({'|'.join(map(re.escape, self.special_tokens))})")
        # The pieces between the names, and at every second place a name.
        ids = []
        for place, piece in enumerate(names.split(text)):
            ids += [self.special_tokens[piece]] if place % 2 else self.encode(piece)
        return ids

    def begin(self, prompt: str) -> list[int]:
        """Return the ids of the beginning of a document: the end-of-text token, then the prompt."""
        return [self.eot, *self.encode(prompt)]

    def token_bytes(self, index: int) -> bytes:
        """Return the bytes that an id stands for; nothing for a special token."""
        raise NotImplementedError

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Return the bytes that ids stand for."""
        return b"".join(map(self.token_bytes, ids))

    def decode(self, ids: Iterable[int]) -> str:
        """Return ids as text, with U+FFFD for bytes that are not UTF-8."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def to_json(self) -> dict[str, Any]:
        """Return what codec.json holds."""
        raise NotImplementedError


def special_ids(special: Sequence[str], first: int) -> dict[str, int]:
    """Return name → id of special tokens: the end of text, then others."""
    return {name: first + place for place, name in enumerate((END_OF_TEXT, *special))}


def utf8(text: str) -> bytes:
    """Return a text as UTF-8."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"the text has half a surrogate pair at character {error.start}, which no UTF-8 file can hold; "
            "read the file with its right encoding"
        ) from None
