"""What a tokenizer makes of a corpus, for people who choose between tokenizers."""

from __future__ import annotations

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
"""Of the training split, from its start, that tokens are counted in."""
SHOWN = 10


def describe_tokenizer(codec: Codec, corpus: Path, shards: Path, private: bool) -> dict[str, Any]:
    """Return the figures of a tokenizer on a corpus.

    Args:
        codec: the tokenizer.
        corpus: the folder of its documents.
        shards: the folder of the encoded corpus.
        private: leave out the tokens themselves, which are pieces of the text.

    Returns:
        `used` and `single_bytes` (shares of the vocabulary, and of the tokens), `by_script` (split → kind of
        letters → bytes per token), and `longest` and `most_frequent` tokens as [text, number] pairs.
    """
    train = open_shards(shards, "train")
    counts = np.bincount(train[0:TOKENS], minlength=codec.vocab_size)
    counts[list(codec.special_tokens.values())] = 0
    seen = np.flatnonzero(counts).tolist()
    lengths = {index: len(codec.token_bytes(index)) for index in seen}
    single = sum(int(counts[index]) for index in seen if lengths[index] == 1)
    facts: dict[str, Any] = {
        "used": len(seen) / (codec.vocab_size - len(codec.special_tokens)),
        "single_bytes": single / int(counts.sum()),
        "by_script": {split: by_script(codec, corpus, split) for split in ("train", "test")},
    }
    if not private:
        longest = sorted(seen, key=lambda index: (-lengths[index], index))[:SHOWN]
        frequent = sorted(seen, key=lambda index: (-counts[index], index))[:SHOWN]
        facts["longest"] = [[codec.decode([index]), lengths[index]] for index in longest]
        facts["most_frequent"] = [[codec.decode([index]), int(counts[index])] for index in frequent]
    return facts


def by_script(codec: Codec, corpus: Path, split: str) -> dict[str, float]:
    """Return kind of letters → bytes per token at the start of a split, the kinds with most bytes first.

    A token of several kinds counts for each with its share of the bytes.
    """
    sizes: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for text in first_characters(read_documents(corpus, split), CHARACTERS):
        spans = [(kind, len(run.encode())) for kind, run in runs(text)]
        lengths = np.array([len(codec.token_bytes(index)) for index in codec.encode(text)])
        # Token for each byte of the text; a byte is 1/length of its token.
        shares = np.concatenate([[0.0], np.cumsum(np.repeat(1 / lengths, lengths))])
        start = 0
        for kind, size in spans:
            sizes[kind] += size
            tokens[kind] += float(shares[start + size] - shares[start])
            start += size
    return {kind: size / tokens[kind] for kind, size in sizes.most_common()}
