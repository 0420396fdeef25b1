"""Byte-level tokenizers of the Hugging Face format: GPT-2's, Llama 3's, Qwen's and many more.

Their ids are kept. Where tiktoken can give the same ids, it does, as it is several times as fast; otherwise
the tokenizers library. Other tokenizers, such as WordPiece or those that write ▁ for a blank, do not give
back every text, and are refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import tiktoken

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.base import Codec, utf8
from gptgrid.tokens.fast_bpe import FastBpeCodec, tiktoken_encoding
from gptgrid.tokens.patterns import GPT2

ENDS = ("<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>", "</s>", "<eos>", "<|im_end|>")
"""What the end of text is called, more telling names first."""
PROBES = (
    "The cat's 12345 friends didn't sit   on\tthe mat.\r\n\r\n  Naïve café — “quotes”!\n",
    "今天天气很好，我们去公园散步吧。 日本語のテキスト 한국어 Привет שלום مرحبا नमस्ते",
    "😀👩‍👩‍👧 é e\u0301 ½ １２ \u2028\u0085\x00\x7f ſ ǅ <|endoftext|> </s> ",
)
"""Texts on which tiktoken must give the ids of the tokenizers library."""


def byte_letters() -> dict[int, str]:
    """Return the printable letter for each byte that GPT-2's vocabulary files use (Radford et al. 2019)."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [value for value in range(256) if value not in printable]
    letters = {value: chr(value) for value in printable}
    return letters | {value: chr(256 + place) for place, value in enumerate(others)}


class ByteLevelCodec(FastBpeCodec):
    """A byte-level BPE from a tokenizer.json."""

    kind = "huggingface"

    def __init__(self, data: dict[str, Any], eot: str | None = None) -> None:
        """Make a codec.

        Args:
            data: what tokenizer.json holds.
            eot: the name of the end-of-text token; None: a usual one.

        Raises:
            UserError: it is not byte-level, or changes texts, or has no end-of-text token.
        """
        refuse_lossy(data)
        vocabulary = data["model"]["vocab"]
        added = {token["content"]: token["id"] for token in data.get("added_tokens", [])}
        self.data, self.eot_name = data, find_end(eot, {**vocabulary, **added})
        self.special_tokens = added | {self.eot_name: {**vocabulary, **added}[self.eot_name]}
        self.eot = self.special_tokens[self.eot_name]
        values = {letter: value for value, letter in byte_letters().items()}
        taken = set(self.special_tokens.values())
        self.pieces = {
            index: bytes(values[letter] for letter in token)
            for token, index in vocabulary.items()
            if index not in taken
        }
        self.vocab_size = max(*self.pieces, *taken) + 1
        self.encoding = self.as_tiktoken()

    @cached_property
    def slow(self) -> Any:
        """The tokenizers library's own, in which no special token stands for text."""
        from tokenizers import Tokenizer

        return Tokenizer.from_str(json.dumps({**self.data, "added_tokens": [], "post_processor": None}))

    def as_tiktoken(self) -> tiktoken.Encoding | None:
        """Return the same as a tiktoken encoding; None if there is none with the same ids."""
        pattern = pattern_of(self.data.get("pre_tokenizer"))
        if pattern is None:
            return None
        ranks = {piece: index for index, piece in self.pieces.items()}
        encoding = tiktoken_encoding(self.kind, pattern, ranks, self.eot)
        same = all(encoding.encode_ordinary(text) == self.slow.encode(text).ids for text in PROBES)
        return encoding if same and merges_rank_like_ids(self.data["model"]) else None

    def encode_array(self, text: str) -> np.ndarray:
        if self.encoding is not None:
            return super().encode_array(text)
        utf8(text)
        return np.array(self.slow.encode(text).ids, dtype=np.uint32)

    def encode_stream(self, texts: Sequence[str]) -> np.ndarray:
        return super().encode_stream(texts) if self.encoding is not None else Codec.encode_stream(self, texts)

    def token_bytes(self, index: int) -> bytes:
        return self.pieces.get(index, b"")

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "vocab_size": self.vocab_size,
            "special_tokens": self.special_tokens,
            "eot": self.eot_name,
            "tokenizer": self.data,
        }


def refuse_lossy(data: dict[str, Any]) -> None:
    """Raise an error if a tokenizer does not give back every text.

    Unicode normalization is left out instead: texts that are normalized keep their ids, others their letters.
    """
    model = data.get("model") or {}
    vocabulary = model.get("vocab") or {}
    normalizer = (data.get("normalizer") or {}).get("type")
    if normalizer in ("NFC", "NFKC"):
        print(f"the tokenizer's {normalizer} normalization is left out; see `clean: normalize`", flush=True)
        data["normalizer"] = normalizer = None
    what = None
    if model.get("type") not in ("BPE", None) or not isinstance(vocabulary, dict):
        what = f"is a {model.get('type')} model"
    elif normalizer:
        what = f"changes texts ({normalizer})"
    elif missing := [value for value, letter in byte_letters().items() if letter not in vocabulary]:
        what = f"has no token for {len(missing)} of the 256 bytes"
    if what:
        raise UserError(
            f"the tokenizer {what}, so it does not give every text back; take a byte-level BPE, such as "
            "those of GPT-2, Llama 3, Qwen and SmolLM"
        )


def find_end(name: str | None, tokens: dict[str, int]) -> str:
    """Return the name of the end-of-text token."""
    for candidate in ENDS if name is None else (name,):
        if candidate in tokens:
            return candidate
    expected = "any of " + ", ".join(ENDS) if name is None else name
    some = ", ".join(token for token in tokens if token.startswith("<"))[:200]
    raise UserError(f"the tokenizer has no {expected}; set `eot` to its end-of-text token (it has {some})")


def pattern_of(pre_tokenizer: dict[str, Any] | None) -> str | None:
    """Return the regular expression that cuts texts into pieces; None if that is not all there is."""
    match pre_tokenizer:
        case {"type": "ByteLevel", "add_prefix_space": False, **rest} if rest.get("use_regex", True):
            return GPT2
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        }:
            return pattern
    return None


def merges_rank_like_ids(model: dict[str, Any]) -> bool:
    """Say whether later merges make tokens of larger ids: tiktoken knows one order only."""
    pairs: Sequence[Any] = model["merges"]
    made = ["".join(pair.split(" ") if isinstance(pair, str) else pair) for pair in pairs]
    ids = [model["vocab"][token] for token in made]
    return ids == sorted(ids)
