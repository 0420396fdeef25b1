"""Codecs in the Hugging Face format, with the same ids on every text."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from gptgrid.artifact.variants import Variants
from gptgrid.tokens.alphabet import byte_letters
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec
from gptgrid.tokens.imported import HuggingFaceCodec


def to_tokenizer_json(codec: Codec) -> str | None:
    """Return tokenizer.json for a codec; None for kinds that the format cannot express."""
    export = EXPORTS.get(codec.kind)
    return None if export is None else export(codec)


def export_huggingface(codec: HuggingFaceCodec) -> str:
    """Return the tokenizer.json that the codec was made from."""
    return json.dumps(codec.data, ensure_ascii=False)


def export_bytes(codec: BytesCodec) -> str:
    """Return tokenizer.json for bytes: a BPE without merges."""
    return byte_level(codec, [bytes([value]) for value in range(256)], [], None)


def export_bpe(codec: BpeCodec) -> str:
    """Return tokenizer.json for a byte pair encoding."""
    return byte_level(codec, codec.ranks, merges_of(codec), codec.pattern)


def export_char(codec: CharCodec) -> str:
    """Return tokenizer.json for characters: a BPE without merges, which falls back to bytes."""
    vocabulary = {f"<0x{value:02X}>": value for value in range(256)}
    vocabulary |= {character: 256 + place for place, character in enumerate(codec.characters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return with_special_tokens(tokenizer, codec)


EXPORTS: Variants[Callable[..., str]] = Variants(
    {
        "bytes": export_bytes,
        "char": export_char,
        "bpe": export_bpe,
        "tiktoken": export_bpe,
        "huggingface": export_huggingface,
    }
)
"""The key `kind` of the configuration → function: codec → tokenizer.json."""


def byte_level(
    codec: Codec, vocabulary: list[bytes], merges: list[tuple[bytes, bytes]], pattern: str | None
) -> str:
    """Return tokenizer.json for a byte-level BPE; `pattern` cuts a text into pieces, None does not."""
    letters = byte_letters()

    def spell(piece: bytes) -> str:
        return "".join(letters[value] for value in piece)

    model = models.BPE(
        vocab={spell(piece): index for index, piece in enumerate(vocabulary)},
        merges=[(spell(left), spell(right)) for left, right in merges],
        # A piece that is a token as a whole is that token, as in tiktoken.
        ignore_merges=True,
    )
    tokenizer = Tokenizer(model)
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if pattern is None:
        tokenizer.pre_tokenizer = bytewise
    else:
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, bytewise])
    tokenizer.decoder = decoders.ByteLevel()
    return with_special_tokens(tokenizer, codec)


def with_special_tokens(tokenizer: Tokenizer, codec: Codec) -> str:
    """Return tokenizer.json, with the special tokens behind all others."""
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in codec.special_tokens]
    )
    return tokenizer.to_str(pretty=False)


def merges_of(codec: BpeCodec) -> list[tuple[bytes, bytes]]:
    """Return the merges behind the ranks, in order.

    The last merge that makes a token joins the two pieces that its bytes become under all earlier merges.
    """
    ranks = {piece: index for index, piece in enumerate(codec.ranks)}
    merges = []
    for piece, rank in ranks.items():
        if len(piece) > 1:
            parts = split_by_ranks(piece, ranks, rank)
            if len(parts) == 2:
                merges.append((parts[0], parts[1]))
    return merges


def split_by_ranks(piece: bytes, ranks: dict[bytes, int], below: int) -> list[bytes]:
    """Return the parts of some bytes after all merges of a rank lower than `below`."""
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while len(parts) > 1:
        pairs = [ranks.get(a + b, below) for a, b in pairwise(parts)]
        best = min(pairs)
        if best >= below:
            break
        place = pairs.index(best)
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts
