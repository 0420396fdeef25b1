"""Text to ids and back. Every kind is lossless on every text that UTF-8 can hold.

How a vocabulary is learned or fetched is the business of the tokenizer stage.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tiktoken

from gptgrid.stage import UserError

END_OF_TEXT = "<|endoftext|>"

PATTERNS = {
    # Of gpt2, cl100k_base and o200k_base as tiktoken publishes them, without possessive quantifiers, which
    # change nothing but speed and which the Hugging Face format reads otherwise.
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
        r"\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "o200k": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
"""How byte pair encodings cut text into the pieces that merges never cross."""


class Codec:
    """What all kinds share. Special tokens that stand in a text are ordinary text there."""

    kind: str
    vocab_size: int
    eot: int | None
    """The end-of-text id that begins every document; None where there is none."""

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

    def token_bytes(self, index: int) -> bytes:
        """Return the bytes that an id stands for; nothing for the end of text."""
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


def utf8(text: str) -> bytes:
    """Return a text as UTF-8."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"the text has half a surrogate pair at character {error.start}, which no UTF-8 file can hold; "
            "read the file with its right encoding"
        ) from None


class BytesCodec(Codec):
    """One token a byte."""

    kind = "bytes"
    vocab_size = 257
    eot = 256

    def encode_array(self, text: str) -> np.ndarray:
        return np.frombuffer(utf8(text), dtype=np.uint8).astype(np.uint32)

    def token_bytes(self, index: int) -> bytes:
        return bytes([index]) if index < 256 else b""

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "vocab_size": 257, "special_tokens": {END_OF_TEXT: 256}}


class CharCodec(Codec):
    """One token a known character; ids 0 … 255 are bytes, for all others."""

    kind = "char"

    def __init__(self, characters: str) -> None:
        """Make a codec for characters in the order of their ids, from 256 on."""
        self.characters = characters
        self.eot = 256 + len(characters)
        self.vocab_size = self.eot + 1
        points = np.frombuffer(characters.encode("utf-32-le"), dtype=np.uint32)
        self.ids = np.zeros(int(points.max(initial=0)) + 1, dtype=np.uint32)
        self.ids[points] = np.arange(256, self.eot, dtype=np.uint32)

    def encode_array(self, text: str) -> np.ndarray:
        utf8(text)
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        known = points < len(self.ids)
        ids = np.where(known, self.ids[np.where(known, points, 0)], 0)
        if (ids != 0).all():
            return ids
        pieces, last = [], 0
        for place in np.flatnonzero(ids == 0).tolist():
            fallback = np.frombuffer(text[place].encode(), dtype=np.uint8).astype(np.uint32)
            pieces += [ids[last:place], fallback]
            last = place + 1
        return np.concatenate([*pieces, ids[last:]])

    def token_bytes(self, index: int) -> bytes:
        if index < 256:
            return bytes([index])
        return self.characters[index - 256].encode() if index < self.eot else b""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "vocab_size": self.vocab_size,
            "special_tokens": {END_OF_TEXT: self.eot},
            "characters": self.characters,
        }


class BpeCodec(Codec):
    """Byte pair encoding by tiktoken: trained here, or published."""

    def __init__(self, kind: str, pattern: str, ranks: Sequence[bytes]) -> None:
        """Make a codec.

        Args:
            kind: `bpe` or `tiktoken`.
            pattern: how text is cut into pieces.
            ranks: the bytes of each id; the end-of-text token follows them.
        """
        self.kind, self.pattern, self.ranks = kind, pattern, list(ranks)
        self.eot = len(self.ranks)
        self.vocab_size = self.eot + 1
        self.encoding = tiktoken.Encoding(
            kind,
            pat_str=pattern,
            mergeable_ranks={piece: index for index, piece in enumerate(self.ranks)},
            special_tokens={END_OF_TEXT: self.eot},
        )

    def encode_array(self, text: str) -> np.ndarray:
        utf8(text)
        return np.array(self.encoding.encode_ordinary(text), dtype=np.uint32)

    def encode_stream(self, texts: Sequence[str]) -> np.ndarray:
        if any(END_OF_TEXT in text for text in texts):
            # A text that spells out the end of text must not end there.
            return super().encode_stream(texts)
        # One call for many documents is several times as fast as a call each. Merges never cross the mark.
        joined = END_OF_TEXT + END_OF_TEXT.join(texts)
        utf8(joined)
        return self.encoding.encode_to_numpy(joined, allowed_special={END_OF_TEXT})

    def token_bytes(self, index: int) -> bytes:
        return self.ranks[index] if index < self.eot else b""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "vocab_size": self.vocab_size,
            "special_tokens": {END_OF_TEXT: self.eot},
            "pattern": self.pattern,
            "ranks": [base64.b64encode(piece).decode() for piece in self.ranks],
        }


class IdsCodec(Codec):
    """No text: the ids of a corpus that brings them. They read as numbers with blanks between."""

    kind = "ids"
    eot = None

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def encode_array(self, text: str) -> np.ndarray:
        try:
            ids = [int(word) for word in text.split()]
        except ValueError:
            raise UserError(f"{text[:40]!r} is not token ids; this corpus has no text") from None
        if not all(0 <= index < self.vocab_size for index in ids):
            raise UserError(f"{text[:40]!r} has ids outside 0 … {self.vocab_size - 1}")
        return np.array(ids, dtype=np.uint32)

    def token_bytes(self, index: int) -> bytes:
        return f"{index} ".encode()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "vocab_size": self.vocab_size, "special_tokens": {}}


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
        data = json.loads(path.read_text(encoding="utf-8"))
        match data["kind"]:
            case "bytes":
                return BytesCodec()
            case "char":
                return CharCodec(data["characters"])
            case "bpe" | "tiktoken":
                return BpeCodec(
                    data["kind"], data["pattern"], [base64.b64decode(rank) for rank in data["ranks"]]
                )
            case "ids":
                return IdsCodec(data["vocab_size"])
        raise ValueError(f"kind {data['kind']!r} is not known")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run snakemake") from None
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} is not a codec ({error}); delete it and run snakemake again") from None
