"""Tokenizers of the Hugging Face format: GPT-2's, GPT-NeoX's, Llama's, Qwen's and many more.

Their ids are kept, those of added tokens that stand for text (`"special": false`) too. Where tiktoken can
give the same ids, it does, as it is several times as fast; otherwise the tokenizers library. Those that do
not give back every text, such as ones that write small letters for capital ones, are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import tiktoken
from tokenizers import Tokenizer

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.alphabet import Alphabet, parts_of
from gptgrid.tokens.base import Codec, any_of, replaced, utf8
from gptgrid.tokens.fast_bpe import FastBpeCodec, tiktoken_encoding
from gptgrid.tokens.patterns import GPT2, RUN
from gptgrid.tokens.probes import NAMES, PROBES
from gptgrid.tokens.seams import next_seam

ENDS = ("<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>", "</s>", "<eos>", "<|im_end|>")
"""What the end of text is called, more telling names first."""
LONG_RUN = re.compile(rf"\s{{{RUN}}}")
"""Blanks that patterns without a bound cut otherwise than those of tiktoken here."""
NEAR = 200
"""Characters on both sides of a place that show whether the text can be cut there."""
NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
AS_SPELLED = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
"""An added token that is its name and nothing else, wherever that stands."""


class HuggingFaceCodec(FastBpeCodec):
    """The tokenizer in a tokenizer.json."""

    kind = "huggingface"

    def __init__(self, data: dict[str, Any], eot: str | None = None) -> None:
        """Make a codec.

        Args:
            data: what tokenizer.json holds.
            eot: the name of the end-of-text token; None: a usual one.

        Raises:
            UserError: the tokenizers library cannot read it, or it does not give every text back, or it has
                no end-of-text token.
        """
        self.data = without_changes(data)
        known = read_library(self.data).get_vocab()
        self.eot_name = find_end(eot, known)
        self.eot = known[self.eot_name]
        self.data = with_end(self.data, self.eot_name, self.eot)
        self.library = read_library(self.data)
        added = self.library.get_added_tokens_decoder()
        self.special_tokens = {token.content: index for index, token in added.items() if token.special}
        self.text_tokens = {token.content: index for index, token in added.items() if not token.special}
        self.added = any_of([*self.special_tokens, *self.text_tokens])
        alphabet = Alphabet(self.data)
        self.pieces = {
            index: alphabet.bytes_of(token) for token, index in known.items() if index not in added
        }
        self.learned = {piece: index for index, piece in self.pieces.items()}
        self.pieces |= {index: token.encode() for token, index in self.text_tokens.items()}
        self.vocab_size = max(known.values()) + 1
        self.prefix = b" " if self.bytes_of_library("a") == b" a" else b""
        self.refuse_lossy()
        self.encoding = self.as_tiktoken()

    def refuse_lossy(self) -> None:
        """Refuse a tokenizer that does not give back texts without names of its special tokens.

        Raises:
            UserError: there is one that it changes.
        """
        for text in (*PROBES, *map(among_blanks, self.text_tokens)):
            found = self.bytes_of_library(text)
            if found != self.prefix + text.encode():
                steps = [*parts_of(self.data.get("normalizer")), *parts_of(self.data.get("pre_tokenizer"))]
                kinds = ", ".join(
                    [self.data["model"].get("type") or "BPE", *(step["type"] for step in steps)]
                )
                raise UserError(
                    f"the tokenizer ({kinds}) does not give every text back: {self.difference(text, found)}; "
                    "take one that does, such as those of GPT-2, GPT-NeoX, Llama 3, Qwen and SmolLM"
                )

    def difference(self, text: str, found: bytes) -> str:
        """Say in a few words what became of a text."""
        given = found.removeprefix(self.prefix).decode("utf-8", errors="replace")
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, given, strict=False)))
        start = max(0, same - 10)
        return f"it turns {text[start : start + 20]!r} into {given[start : start + 20]!r}"

    def bytes_of_library(self, text: str) -> bytes:
        """Return what the ids of a text say, by the tokenizers library."""
        return self.decode_bytes(self.library_ids(text))

    def library_ids(self, text: str) -> list[int]:
        """Return the ids that the tokenizers library gives, without what it puts around texts."""
        return self.library.encode(text, add_special_tokens=False).ids

    def as_tiktoken(self) -> tiktoken.Encoding | None:
        """Return the same as a tiktoken encoding; None if there is none with the same ids."""
        pattern = pattern_of(self.data)
        if pattern is None or not merges_rank_like_ids(self.data["model"]):
            return None
        try:
            self.encoding = tiktoken_encoding(self.kind, pattern, self.learned, self.eot)
        except ValueError:
            # The library's regular expressions know more than tiktoken's.
            return None
        texts = (*PROBES, NAMES, *map(among_blanks, [*self.text_tokens, *self.special_tokens]))
        same = all(self.fast_ids(text).tolist() == self.library_ids(text) for text in texts)
        return self.encoding if same else None

    def fast_ids(self, text: str) -> np.ndarray:
        """Return the ids of a text by tiktoken, added tokens apart."""
        pieces = replaced(text, self.added, self.text_tokens)
        ids = [self.ids_of(piece, set()) if isinstance(piece, str) else piece for piece in pieces]
        return np.concatenate([np.zeros(0, dtype=np.uint32), *ids]).astype(np.uint32)

    def encode_array(self, text: str) -> np.ndarray:
        """Return the ids of a text as a uint32 array.

        Raises:
            UserError: the ids do not give it back, which happens where it has the tokenizer's own sign for a
                blank, or to some tokenizers the name of a special token.
        """
        if self.encoding is not None and not LONG_RUN.search(text):
            return self.fast_ids(text)
        whole, ids = utf8(text), self.library_ids(text)
        found = self.decode_bytes(ids)
        if found != (self.prefix + whole if text else b""):
            raise UserError(f"the tokenizer does not give this text back: {self.difference(text, found)}")
        return np.array(ids, dtype=np.uint32)

    def encode_stream(self, texts: Sequence[str], marks: bool = False) -> np.ndarray:
        encode = Codec.encode_stream if self.encoding is None else FastBpeCodec.encode_stream
        return encode(self, texts, marks)

    def stands_alone(self, text: str, marks: bool) -> bool:
        return super().stands_alone(text, marks) or bool(self.added.search(text) or LONG_RUN.search(text))

    def seam(self, text: str, place: int) -> int:
        """Return the first place from `place` on where the text next to it is cut without change."""
        blank = self.prefix.decode()
        while (place := next_seam(text, place)) < len(text):
            left, right = text[max(0, place - NEAR) : place], text[place : place + NEAR]
            if right.startswith(blank) and self.can_cut(left, right.removeprefix(blank), left + right):
                break
            place += 1
        return place

    def can_cut(self, left: str, right: str, whole: str) -> bool:
        """Say whether two texts have together the ids of the whole."""
        return self.encode(left) + self.encode(right) == self.encode(whole)

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


def read_library(data: dict[str, Any]) -> Tokenizer:
    """Return the tokenizer as the tokenizers library reads it; names of special tokens are text to it.

    Raises:
        UserError: the library cannot read it.
    """
    if not isinstance(data, dict):
        raise UserError(f"it holds a {type(data).__name__}, not a tokenizer; take another file")
    try:
        tokenizer = Tokenizer.from_str(json.dumps(data))
    except Exception as error:  # The library raises no other kind.
        # The place that it names is none of the user's file.
        reason = re.sub(r" at line \d+ column \d+$", "", str(error))
        raise UserError(f"the tokenizers library cannot read it ({reason}); take another file") from None
    tokenizer.encode_special_tokens = True
    return tokenizer


def without_changes(data: dict[str, Any]) -> dict[str, Any]:
    """Return a tokenizer without Unicode normalization, truncation, padding and dropout.

    Texts that are normalized keep their ids, others their letters.
    """
    if not isinstance(data, dict):
        return data
    steps = list(parts_of(data.get("normalizer")))
    if forms := [step["type"] for step in steps if step.get("type") in NORMAL_FORMS]:
        print(f"the tokenizer's {forms[0]} normalization is left out; see `clean: normalize`", flush=True)
        steps = [step for step in steps if step["type"] not in NORMAL_FORMS]
        data = {**data, "normalizer": {"type": "Sequence", "normalizers": steps} if steps else None}
    if (model := data.get("model") or {}).get("dropout"):
        print(f"the tokenizer's dropout of {model['dropout']} is left out", flush=True)
        data = {**data, "model": {**model, "dropout": None}}
    return {**data, "truncation": None, "padding": None}


def with_end(data: dict[str, Any], name: str, index: int) -> dict[str, Any]:
    """Return a tokenizer with the end of text among its special tokens, none of which takes blanks along."""
    end = {"id": index, "content": name, "special": True}
    added = [token for token in data.get("added_tokens") or [] if token["content"] != name]
    tokens = [{**token, **AS_SPELLED} if token["special"] else token for token in [*added, end]]
    return {**data, "added_tokens": sorted(tokens, key=lambda token: token["id"])}


def among_blanks(token: str) -> str:
    """Return a text with a token in it that a tokenizer may take blanks from."""
    return f"a  {token}\n {token}b"


def find_end(name: str | None, tokens: dict[str, int]) -> str:
    """Return the name of the end-of-text token."""
    for candidate in ENDS if name is None else (name,):
        if candidate in tokens:
            return candidate
    expected = "any of " + ", ".join(ENDS) if name is None else name
    some = ", ".join(token for token in tokens if token.startswith("<"))[:200]
    raise UserError(f"the tokenizer has no {expected}; set `eot` to its end-of-text token (it has {some})")


def pattern_of(data: dict[str, Any]) -> str | None:
    """Return the regular expression that cuts texts into pieces; None if that is not all there is."""
    if (data.get("normalizer") and [*parts_of(data["normalizer"])]) or data["model"].get("type") not in (
        "BPE",
        None,
    ):
        return None
    match data.get("pre_tokenizer"):
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
