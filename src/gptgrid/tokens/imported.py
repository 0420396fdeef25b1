"""Tokenizers of the Hugging Face format: GPT-2's, GPT-NeoX's, Llama's, Qwen's and many more.

Their ids are kept, those of added tokens that stand for text (`"special": false`) too. Where tiktoken can
give the same ids, it does, as it is several times as fast; otherwise the tokenizers library. Those that do
not give back every text, such as ones that write small letters for capital ones, are refused.
"""

from __future__ import annotations

import json
import re
import unicodedata
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
from gptgrid.tokens.patterns import RUN
from gptgrid.tokens.probes import NAMES, PROBES
from gptgrid.tokens.same_ids import falls_apart, merges_like_tiktoken, pattern_of, spells_bytes, told_apart
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
        self.learned = {
            self.pieces[index]: index
            for token, index in known.items()
            if index not in added and spells_bytes(token)
        }
        self.pieces |= {index: token.encode() for token, index in self.text_tokens.items()}
        self.vocab_size = max(known.values()) + 1
        self.falls_apart = falls_apart(self.data)
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
        given = self.text_of(found)
        start = max(0, common(text, given) - 10)
        return f"it turns {text[start : start + 20]!r} into {given[start : start + 20]!r}"

    def text_of(self, found: bytes) -> str:
        """Return what ids say as text, without the blank before it."""
        return found.removeprefix(self.prefix).decode("utf-8", errors="replace")

    def bytes_of_library(self, text: str) -> bytes:
        """Return what the ids of a text say, by the tokenizers library."""
        return self.decode_bytes(self.library_ids(text))

    def library_ids(self, text: str) -> list[int]:
        """Return the ids that the tokenizers library gives, without what it puts around texts."""
        return self.library.encode(text, add_special_tokens=False).ids

    def as_tiktoken(self) -> tiktoken.Encoding | None:
        """Return the same as a tiktoken encoding; None if there is none with the same ids."""
        pattern = pattern_of(self.data)
        if (
            pattern is None
            or not told_apart(self.data["added_tokens"])
            or not merges_like_tiktoken(self.data["model"], self.learned, pattern)
        ):
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
                blank, or to some tokenizers the name of a special token. The message shows no text, which may
                be private.
        """
        if self.encoding is not None and not LONG_RUN.search(text):
            return self.fast_ids(text)
        whole, ids = utf8(text), self.library_ids(text)
        found = self.decode_bytes(ids)
        if found != (self.prefix + whole if text else b""):
            place = common(text, self.text_of(found))
            raise UserError(
                f"the tokenizer does not give the text back from character {place + 1} on "
                f"({kind_of(text[place : place + 1])}); take another tokenizer, or a text without it"
            )
        return np.array(ids, dtype=np.uint32)

    def encode_stream(self, texts: Sequence[str], marks: bool = False) -> np.ndarray:
        encode = Codec.encode_stream if self.encoding is None else FastBpeCodec.encode_stream
        return encode(self, texts, marks)

    def stands_alone(self, text: str, marks: bool) -> bool:
        return super().stands_alone(text, marks) or bool(self.added.search(text) or LONG_RUN.search(text))

    def seam(self, text: str, place: int) -> int:
        """Return the first place from `place` on where a text is surely cut; its end if there is none."""
        if not self.falls_apart:
            return len(text)
        while (place := next_seam(text, place)) < len(text):
            left, right = text[max(0, place - NEAR) : place], text[place : place + NEAR]
            # An added token may ask what stands beside it (`single_word`).
            if not self.within_name(text, place) and self.can_cut(left, right, left + right):
                break
            place += 1
        return place

    def within_name(self, text: str, place: int) -> bool:
        """Say whether the name of an added token stands across a place."""
        names = (*self.special_tokens, *self.text_tokens)
        return any(name in text[max(0, place - len(name) + 1) : place + len(name) - 1] for name in names)

    def can_cut(self, left: str, right: str, whole: str) -> bool:
        """Say whether two texts have together the ids of the whole."""
        ids_of = self.library_ids if self.encoding is None else self.encode
        return ids_of(left) + ids_of(right) == ids_of(whole)

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
        UserError: the library cannot read it, or gives its tokens other ids than it says.
    """
    if not isinstance(data, dict):
        raise UserError(f"it holds a {type(data).__name__}, not a tokenizer; take another file")
    try:
        tokenizer = Tokenizer.from_str(json.dumps(data))
    except Exception as error:  # The library raises no other kind.
        # The place that it names is none of the user's file.
        reason = re.sub(r" at line \d+ column \d+$", "", str(error))
        raise UserError(f"the tokenizers library cannot read it ({reason}); take another file") from None
    refuse_other_ids(data, tokenizer)
    tokenizer.encode_special_tokens = True
    return tokenizer


def refuse_other_ids(data: dict[str, Any], library: Tokenizer) -> None:
    """Refuse a tokenizer whose tokens have other ids in the library, or two of them one id.

    Raises:
        UserError: there are such.
    """
    known, names = library.get_vocab(), {}
    for token, index in sorted(known.items()):
        if (other := names.setdefault(index, token)) != token:
            raise UserError(f"its tokens {other!r} and {token!r} share the id {index}; take another file")
    for token in data.get("added_tokens") or []:
        name, index = token["content"], token["id"]
        if known.get(name) != index:
            raise UserError(
                f"its added token {name!r} has the id {index}, but the tokenizers library makes it "
                f"{known.get(name)}: it numbers added tokens that the vocabulary lacks one by one behind it, "
                "in their order; save the tokenizer with that library, or number and order them so"
            )


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


def common(first: str, second: str) -> int:
    """Return how many characters two texts begin alike with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def kind_of(character: str) -> str:
    """Name a character, but not which letter or digit it is."""
    if not character:
        return "its end"
    if character.isalnum():
        return "a letter or digit"
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


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
