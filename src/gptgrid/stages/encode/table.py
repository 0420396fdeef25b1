"""What a tokenizer makes of a corpus, for people who choose between tokenizers."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from gptgrid.text.documents import first_characters, read_documents
from gptgrid.text.writing_systems import runs
from gptgrid.tokens.base import Codec
from gptgrid.tokens.shards import open_shards

CHARACTERS = 2**18
"""Of each split, from its start, that scripts are looked for in."""
TOKENS = 2**24
"""Of a split, from its start, that tokens are counted in."""
PART = 2**20
"""Tokens in memory at once."""
SHOWN = 10


def describe_tokenizer(
    codec: Codec, corpus: Path, shards: Path, private: bool, marks: bool = False
) -> dict[str, Any]:
    """Return the figures of a tokenizer on a corpus.

    Args:
        codec: the tokenizer.
        corpus: the folder of its documents.
        shards: the folder of the encoded corpus.
        private: leave out the tokens themselves, which are pieces of the text.
        marks: the names of special tokens in the documents are these.

    Returns:
        `used` and `single_bytes` (shares of the vocabulary, and of the tokens), `by_script` (split → kind of
        letters → bytes per token), and `longest` and `most_frequent` tokens as [text, number] pairs; with
        `marks` also those: name → how often.
    """
    counts = token_counts(shards, "train", codec.vocab_size)
    special = {name: int(counts[index]) for name, index in codec.special_tokens.items() if index != codec.eot}
    counts[list(codec.special_tokens.values())] = 0
    seen = np.flatnonzero(counts).tolist()
    lengths = {index: len(codec.token_bytes(index)) for index in seen}
    single = sum(int(counts[index]) for index in seen if lengths[index] == 1)
    facts: dict[str, Any] = {
        "used": len(seen) / (codec.vocab_size - len(codec.special_tokens)),
        "single_bytes": single / max(1, int(counts.sum())),
        "by_script": {split: by_script(codec, corpus, split, marks) for split in ("train", "test")},
    }
    if marks:
        facts["marks"] = special
    if not private:
        longest = sorted(seen, key=lambda index: (-lengths[index], index))[:SHOWN]
        frequent = sorted(seen, key=lambda index: (-counts[index], index))[:SHOWN]
        facts["longest"] = [[codec.decode([index]), lengths[index]] for index in longest]
        facts["most_frequent"] = [[codec.decode([index]), int(counts[index])] for index in frequent]
    return facts


def guessing(shards: Path, vocab_size: int) -> dict[str, float]:
    """Return what a model takes that knows nothing but the frequencies of tokens: split → nats per token.

    Each token is guessed by its share of the training split, mixed with all being equally likely as Witten
    and Bell do (1991, method C): the more different tokens a text has, the more are still to come. Where the
    frequencies are those of another kind of text, finding all tokens equally likely may take less.

    Args:
        shards: the folder of the encoded corpus.
        vocab_size: tokens that there are.
    """
    counts = token_counts(shards, "train", vocab_size)
    total, different = int(counts.sum()), int(np.count_nonzero(counts))
    nats = math.log(total + different) - np.log(counts + different / vocab_size)
    seen = {split: token_counts(shards, split, vocab_size) for split in ("valid", "test")}
    return {
        split: min(float(number @ nats) / int(number.sum()), math.log(vocab_size))
        for split, number in seen.items()
    }


def token_counts(shards: Path, split: str, vocab_size: int) -> np.ndarray:
    """Return how often each token stands at the start of a split: (vocab_size,) int64."""
    tokens = open_shards(shards, split)
    starts = range(0, min(len(tokens), TOKENS), PART)
    return sum(
        np.bincount(tokens[start : min(start + PART, TOKENS)], minlength=vocab_size) for start in starts
    )


def by_script(codec: Codec, corpus: Path, split: str, marks: bool = False) -> dict[str, float]:
    """Return kind of letters → bytes per token at the start of a split, the kinds with most bytes first.

    A token of several kinds counts for each with its share of the bytes. With `marks`, the names of special
    tokens are these, and count for none.
    """
    sizes: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    documents = first_characters(read_documents(corpus, split), CHARACTERS)
    pieces = (piece for text in documents for piece in (codec.marked(text) if marks else [text]))
    for text in (piece for piece in pieces if isinstance(piece, str)):
        spans = [(kind, len(run.encode())) for kind, run in runs(text)]
        lengths = np.array([len(codec.token_bytes(index)) for index in codec.encode(text)], dtype=np.int64)
        # Token for each byte of the text; a byte is 1/length of its token.
        shares = np.concatenate([[0.0], np.cumsum(np.repeat(1 / lengths, lengths))])
        start = len(codec.prefix)
        for kind, size in spans:
            sizes[kind] += size
            tokens[kind] += float(shares[start + size] - shares[start])
            start += size
    return {kind: size / tokens[kind] for kind, size in sizes.most_common()}
