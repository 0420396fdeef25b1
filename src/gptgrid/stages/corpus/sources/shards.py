"""Documents without a text: token ids, drawn at random or from ready-made shards."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.seeds import derive
from gptgrid.tokens.shards import read_shard

PIECE = 2**20
"""Ids that are looked at in one go."""


def noise(vocab_size: int, tokens: int, document_tokens: int, seed: int) -> list[np.ndarray]:
    """Return documents of `document_tokens` ids (uint32) in [0, vocab_size); the last may be shorter."""
    generator = np.random.Generator(np.random.PCG64(derive(seed, "noise")))
    ids = generator.integers(0, vocab_size, size=tokens, dtype=np.uint32)
    return [ids[start : start + document_tokens] for start in range(0, tokens, document_tokens)]


def documents_of_ids(path: Path, name: str, vocab_size: int, eot: int | None) -> Iterator[np.ndarray]:
    """Yield the documents of a shard (uint32), without the end-of-text token that begins each.

    Where there is no such token, a document is an arbitrary piece.

    Raises:
        UserError: it is not a shard, or has ids outside the vocabulary.
    """
    ids = read_shard(path)
    begun, unfinished = False, []
    for start in range(0, len(ids), PIECE):
        block = ids[start : start + PIECE].astype(np.uint32)
        if (largest := int(block.max())) >= vocab_size:
            raise UserError(
                f"{name} has the id {largest}, but vocab_size is {vocab_size}; give the size of the "
                "vocabulary that the ids are of"
            )
        if eot is None:
            yield block
            continue
        rest, *others = np.split(block, np.flatnonzero(block == eot))
        unfinished.append(rest)
        for document in others:
            if begun or any(map(len, unfinished)):
                yield np.concatenate(unfinished)
            begun, unfinished = True, [document[1:]]
    if begun or any(map(len, unfinished)):
        yield np.concatenate(unfinished)
