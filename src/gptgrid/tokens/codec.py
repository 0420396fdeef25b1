"""The kinds of tokenizers, and codec.json, which holds one.

How a vocabulary is learned or fetched is the business of the tokenizer stage.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.variants import Variants
from gptgrid.tokens.base import END_OF_TEXT, Codec, special_ids, utf8
from gptgrid.tokens.fast_bpe import FastBpeCodec, tiktoken_encoding
from gptgrid.tokens.imported import HuggingFaceCodec

BLANK = re.compile(r"\s")


class BytesCodec(Codec):
    """One token a byte."""

    kind = "bytes"
    eot = 256

    def __init__(self, special: Sequence[str] = ()) -> None:
        """Make a codec with special tokens beside the end of text."""
        self.special_tokens = special_ids(special, self.eot)
        self.vocab_size = 256 + len(self.special_tokens)

    def encode_array(self, text: str) -> np.ndarray:
        return np.frombuffer(utf8(text), dtype=np.uint8).astype(np.uint32)

    def token_bytes(self, index: int) -> bytes:
        return bytes([index]) if index < 256 else b""

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "vocab_size": self.vocab_size, "special_tokens": self.special_tokens}


class CharCodec(Codec):
    """One token a known character; ids 0 … 255 are bytes, for all others."""

    kind = "char"

    def __init__(self, characters: str, special: Sequence[str] = ()) -> None:
        """Make a codec for characters in the order of their ids, from 256 on."""
        self.characters = characters
        self.eot = 256 + len(characters)
        self.special_tokens = special_ids(special, self.eot)
        self.vocab_size = self.eot + len(self.special_tokens)
        points = np.frombuffer(characters.encode("utf-32-le"), dtype=np.uint32)
        # Id 0 is a byte, never a character: it means that a character is unknown.
        self.ids = np.zeros(int(points.max(initial=0)) + 2, dtype=np.uint32)
        self.ids[points] = np.arange(256, self.eot, dtype=np.uint32)

    def encode_array(self, text: str) -> np.ndarray:
        utf8(text)
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        ids = self.ids[np.minimum(points, len(self.ids) - 1)]
        unknown = ids == 0
        if not unknown.any():
            return ids
        others = points[unknown]
        lengths = np.ones(len(ids), dtype=np.int64)
        lengths[unknown] = 1 + (others >= 0x80) + (others >= 0x800) + (others >= 0x10000)
        all_ids = np.repeat(ids, lengths)
        fallback = others.tobytes().decode("utf-32-le").encode()
        all_ids[np.repeat(unknown, lengths)] = np.frombuffer(fallback, dtype=np.uint8)
        return all_ids

    def token_bytes(self, index: int) -> bytes:
        if index < 256:
            return bytes([index])
        return self.characters[index - 256].encode() if index < self.eot else b""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "vocab_size": self.vocab_size,
            "special_tokens": self.special_tokens,
            "characters": self.characters,
        }


class BpeCodec(FastBpeCodec):
    """Byte pair encoding: trained here, or published."""

    def __init__(self, kind: str, pattern: str, ranks: Sequence[bytes], special: Sequence[str] = ()) -> None:
        """Make a codec.

        Args:
            kind: `bpe` or `tiktoken`.
            pattern: how text is cut into pieces.
            ranks: the bytes of each id; the end-of-text token follows them.
            special: names of special tokens that follow it.
        """
        self.kind, self.pattern, self.ranks = kind, pattern, list(ranks)
        self.eot = len(self.ranks)
        self.special_tokens = special_ids(special, self.eot)
        self.vocab_size = self.eot + len(self.special_tokens)
        numbers = {piece: index for index, piece in enumerate(self.ranks)}
        self.encoding = tiktoken_encoding(kind, pattern, numbers, self.eot)

    def token_bytes(self, index: int) -> bytes:
        return self.ranks[index] if index < self.eot else b""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "vocab_size": self.vocab_size,
            "special_tokens": self.special_tokens,
            "pattern": self.pattern,
            "ranks": [base64.b64encode(piece).decode() for piece in self.ranks],
        }


class IdsCodec(Codec):
    """No text: the ids of a corpus that brings them. They read as numbers with blanks between."""

    kind = "ids"

    def __init__(self, vocab_size: int, eot: int | None = None) -> None:
        self.vocab_size, self.eot = vocab_size, eot
        self.special_tokens = {} if eot is None else {END_OF_TEXT: eot}

    def encode_array(self, text: str) -> np.ndarray:
        try:
            ids = [int(word) for word in text.split()]
        except ValueError:
            raise UserError(f"{text[:40]!r} is not token ids; this corpus has no text") from None
        if not all(0 <= index < self.vocab_size for index in ids):
            raise UserError(f"{text[:40]!r} has ids outside 0 … {self.vocab_size - 1}")
        return np.array(ids, dtype=np.uint32)

    def begin(self, prompt: str, marks: bool = False) -> list[int]:
        # A model needs something to start from.
        return [*([] if self.eot is None else [self.eot]), *self.encode(prompt)] or [0]

    def seam(self, text: str, place: int) -> int:
        found = BLANK.search(text, place)
        return found.start() if found else len(text)

    def token_bytes(self, index: int) -> bytes:
        return f"{index} ".encode()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "vocab_size": self.vocab_size, "special_tokens": self.special_tokens}


def write_codec(codec: Codec, path: Path) -> None:
    """Write codec.json; the same codec gives the same bytes."""
    path.write_text(json.dumps(codec.to_json(), ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def read_codec(path: Path) -> Codec:
    """Read codec.json, or the one in a folder.

    Raises:
        UserError: it is missing or damaged.
    """
    path = path / "codec.json" if path.is_dir() else path
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run snakemake") from None
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} is not a codec ({error}); delete it and run snakemake again") from None


def from_json(data: dict[str, Any]) -> Codec:
    """Return the codec that a codec.json holds.

    Raises:
        KeyError: its kind is not known, or something is missing.
    """
    tokens = data["special_tokens"]
    special = [name for name in sorted(tokens, key=tokens.__getitem__) if name != END_OF_TEXT]
    return READERS[data["kind"]](data, special)


def read_bytes(data: dict[str, Any], special: list[str]) -> Codec:
    """Return a codec of bytes."""
    return BytesCodec(special)


def read_char(data: dict[str, Any], special: list[str]) -> Codec:
    """Return a codec of characters."""
    return CharCodec(data["characters"], special)


def read_bpe(data: dict[str, Any], special: list[str]) -> Codec:
    """Return a byte pair encoding."""
    ranks = list(map(base64.b64decode, data["ranks"]))
    return BpeCodec(data["kind"], data["pattern"], ranks, special)


def read_huggingface(data: dict[str, Any], special: list[str]) -> Codec:
    """Return a tokenizer of the Hugging Face format."""
    return HuggingFaceCodec(data["tokenizer"], data["eot"])


def read_ids(data: dict[str, Any], special: list[str]) -> Codec:
    """Return the identity."""
    return IdsCodec(data["vocab_size"], data["special_tokens"].get(END_OF_TEXT))


READERS: Variants[Callable[[dict[str, Any], list[str]], Codec]] = Variants(
    {
        "bytes": read_bytes,
        "char": read_char,
        "bpe": read_bpe,
        "tiktoken": read_bpe,
        "huggingface": read_huggingface,
        "ids": read_ids,
    }
)
"""The key `kind` of the configuration → (what codec.json holds, names of special tokens) → codec."""
