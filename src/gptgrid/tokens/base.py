"""What all tokenizers share: text to ids and back, lossless on every text that UTF-8 can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, groupby
from typing import Any

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.seams import AHEAD, cut
from gptgrid.tokens.special import END_OF_TEXT


class Codec:
    """A tokenizer.

    The names of special tokens that a text spells out are ordinary text, unless one asks for marks: then the
    longest name that fits becomes its id. The name of the end of text is ordinary text even so, as that token
    begins documents and stands nowhere else.
    """

    kind: str
    vocab_size: int
    eot: int | None
    """The end-of-text id that begins every document; None where there is none."""
    special_tokens: dict[str, int]
    """Name → id of tokens that stand for no text, the end of text among them."""
    prefix: bytes = b""
    """What the ids of a text say before the text itself: a blank, in tokenizers that begin words with one."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UserError: the text holds half a surrogate pair, which UTF-8 cannot.
        """
        return self.encode_array(text).tolist()

    def encode_array(self, text: str) -> np.ndarray:
        """Return the ids of a text as a uint32 array."""
        raise NotImplementedError

    def encode_stream(self, texts: Sequence[str], marks: bool = False) -> np.ndarray:
        """Return the ids of documents one after the other, each behind an end-of-text token (uint32).

        With `marks`, the names of special tokens are these.
        """
        start = self.ids_of_part([] if self.eot is None else [self.eot])
        read = self.encode_marked_array if marks else self.encode_array
        return np.concatenate([part for text in texts for part in (start, read(text))])

    def encode_marked(self, text: str) -> list[int]:
        """Return the ids of a text in which the names of special tokens mean these, as in a chat."""
        return self.encode_marked_array(text).tolist()

    def encode_marked_array(self, text: str) -> np.ndarray:
        """Return the same as a uint32 array."""
        return self.join(self.marked(text))

    def parts(self, pieces: Iterable[str], length: int, marks: bool = False) -> Iterator[str | list[int]]:
        """Yield texts, each the shortest of at least `length` characters, and ids of marks between them.

        Their ids one after the other are those of the whole text. A text that can be cut nowhere stays whole.

        Args:
            pieces: of the text, cut anywhere; one is in memory at once.
            length: at least 1.
            marks: names of special tokens mean these.
        """
        if marks:
            pieces = replaced_in_pieces(pieces, self.names, self.marks)
        for is_text, run in groupby(pieces, key=lambda piece: isinstance(piece, str)):
            if is_text:
                run = cut(run, length, self.seam)
            yield from run

    def ids_of_part(self, part: str | list[int]) -> np.ndarray:
        """Return the ids of what `parts` yields as a uint32 array."""
        return self.encode_array(part) if isinstance(part, str) else np.array(part, dtype=np.uint32)

    def join(self, parts: Iterable[str | list[int]]) -> np.ndarray:
        """Return the ids of some parts one after the other (uint32)."""
        return np.concatenate([np.zeros(0, dtype=np.uint32), *map(self.ids_of_part, parts)])

    def marked(self, text: str) -> Iterator[str | list[int]]:
        """Yield the texts between the marks, and the id of each mark."""
        return replaced(text, self.names, self.marks)

    @property
    def marks(self) -> dict[str, int]:
        """Name → id of the special tokens that may stand in a text."""
        return {name: index for name, index in self.special_tokens.items() if index != self.eot}

    @cached_property
    def names(self) -> re.Pattern[str]:
        """What finds the names of the special tokens."""
        return any_of(self.special_tokens)

    def seam(self, text: str, place: int) -> int:
        """Return the first place from `place` on where a text can be cut in two; if there is none, its end or
        a place behind it.
        """
        return place

    def begin(self, prompt: str, marks: bool = False) -> list[int]:
        """Return the ids of the beginning of a document: the end-of-text token, then the prompt.

        With `marks`, the names of special tokens in the prompt are these.
        """
        return [self.eot, *(self.encode_marked(prompt) if marks else self.encode(prompt))]

    def token_bytes(self, index: int) -> bytes:
        """Return the bytes that an id stands for; nothing for a special token."""
        raise NotImplementedError

    def decode_bytes(self, ids: Iterable[int], special: bool = False) -> bytes:
        """Return the bytes that ids stand for, with `special` the names of special tokens among them."""
        if not special:
            return b"".join(map(self.token_bytes, ids))
        names = {index: name.encode() for name, index in self.special_tokens.items()}
        return b"".join(names.get(index) or self.token_bytes(index) for index in ids)

    def decode(self, ids: Iterable[int], special: bool = False, continues: bool = False) -> str:
        """Return ids as text, with U+FFFD for bytes that are not UTF-8.

        Args:
            ids: of a text.
            special: show special tokens by their names.
            continues: the ids go on with an earlier text, so that a blank at their start belongs to it.
        """
        found = self.decode_bytes(ids, special)
        found = found if continues else found.removeprefix(self.prefix)
        return found.decode("utf-8", errors="replace")

    def to_json(self) -> dict[str, Any]:
        """Return what codec.json holds."""
        raise NotImplementedError


def special_ids(special: Sequence[str], first: int) -> dict[str, int]:
    """Return name → id of special tokens: the end of text, then others."""
    return {name: first + place for place, name in enumerate((END_OF_TEXT, *special))}


def any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return what finds names in a text, of several that begin at one place the longest.

    So does the Hugging Face format. Without names it finds nothing.
    """
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def replaced(text: str, names: re.Pattern[str], ids: Mapping[str, int]) -> Iterator[str | list[int]]:
    """Yield a text with names replaced by their ids; names without one stay text."""
    start = 0
    for found in names.finditer(text):
        if found[0] in ids:
            if start < found.start():
                yield text[start : found.start()]
            yield [ids[found[0]]]
            start = found.end()
    if start < len(text):
        yield text[start:]


def replaced_in_pieces(
    pieces: Iterable[str], names: re.Pattern[str], ids: Mapping[str, int]
) -> Iterator[str | list[int]]:
    """Yield the same for a text that comes in pieces; texts without a name between them belong together."""
    held = ""
    for piece in chain(pieces, [None]):
        held += piece or ""
        sure = len(held) if piece is None else max(0, len(held) - AHEAD)
        begun = (found.end() for found in names.finditer(held) if found.start() < sure)
        sure = max(sure, max(begun, default=0))
        yield from replaced(held[:sure], names, ids)
        held = held[sure:]


def utf8(text: str) -> bytes:
    """Return a text as UTF-8."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"the text has half a surrogate pair at character {error.start}, which no UTF-8 file can hold; "
            "read the file with its right encoding"
        ) from None
