"""What a tokenizer makes of a corpus, for people who choose between tokenizers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from gptgrid.text.documents import first_characters, stream_documents
from gptgrid.text.writing_systems import runs
from gptgrid.tokens.base import Codec
from gptgrid.tokens.frequencies import token_counts
from gptgrid.tokens.shards import open_shards

CHARACTERS = 2**18
"""Of each split, from its start, that scripts are looked for in."""
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
    counts = token_counts(open_shards(shards, "train"), codec.vocab_size)
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


def by_script(codec: Codec, corpus: Path, split: str, marks: bool = False) -> dict[str, float]:
    """Return kind of letters → bytes per token at the start of a split, the kinds with most bytes first.

    A token of several kinds counts for each with its share of the bytes. With `marks`, the names of special
    tokens are these, and count for none.
    """
    sizes: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    documents = first_characters(stream_documents(corpus, split), CHARACTERS)
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
