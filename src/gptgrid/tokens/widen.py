"""Special tokens added to a tokenizer that exists, behind all its ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.variants import Variants
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec
from gptgrid.tokens.imported import AS_SPELLED, HuggingFaceCodec
from gptgrid.tokens.special import END_OF_TEXT, unfit


def widened(codec: Codec, names: Sequence[str]) -> Codec:
    """Return a tokenizer with more special tokens; all ids that it has stay.

    Raises:
        UserError: a name is there already, or is spelled like a token of text; or the tokenizer has no text.
    """
    if codec.kind not in WIDENERS:
        raise UserError(f"a tokenizer of kind {codec.kind} has no text and takes no special tokens")
    for place, name in enumerate(names):
        if name in codec.special_tokens or name in names[:place]:
            raise UserError(f"the tokenizer has the special token {name!r} already")
        if why := unfit(name, None) or spelled_like_text(codec, name):
            raise UserError(f"the special token {name!r} cannot be added: it {why}; write it like <|user|>")
    return WIDENERS[codec.kind](codec, names)


def spelled_like_text(codec: Codec, name: str) -> str | None:
    """Say that a name is that of a token of text; None if it is not."""
    if isinstance(codec, BpeCodec):
        known = name.encode() in codec.ranks
    else:
        known = isinstance(codec, HuggingFaceCodec) and codec.library.token_to_id(name) is not None
    return "is a token of text in this tokenizer" if known else None


def special(codec: Codec, names: Sequence[str]) -> list[str]:
    """Return the names of all special tokens but the end of text, in the order of their ids."""
    return [*(name for name in codec.special_tokens if name != END_OF_TEXT), *names]


def widened_bytes(codec: BytesCodec, names: Sequence[str]) -> Codec:
    """Return bytes with more special tokens."""
    return BytesCodec(special(codec, names))


def widened_char(codec: CharCodec, names: Sequence[str]) -> Codec:
    """Return characters with more special tokens."""
    return CharCodec(codec.characters, special(codec, names))


def widened_bpe(codec: BpeCodec, names: Sequence[str]) -> Codec:
    """Return a byte pair encoding with more special tokens."""
    return BpeCodec(codec.kind, codec.pattern, codec.ranks, special(codec, names))


def widened_huggingface(codec: HuggingFaceCodec, names: Sequence[str]) -> Codec:
    """Return a tokenizer of the Hugging Face format with more special tokens."""
    new = [
        {"id": codec.vocab_size + place, "content": name, "special": True, **AS_SPELLED}
        for place, name in enumerate(names)
    ]
    data = {**codec.data, "added_tokens": [*codec.data["added_tokens"], *new]}
    return HuggingFaceCodec(data, codec.eot_name)


WIDENERS: Variants[Callable[..., Codec]] = Variants(
    {
        "bytes": widened_bytes,
        "char": widened_char,
        "bpe": widened_bpe,
        "tiktoken": widened_bpe,
        "huggingface": widened_huggingface,
    }
)
"""The key `kind` of the configuration → function: codec, names of special tokens → the wider codec."""
