"""Ready-made token shards, to train on without their text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.sources.source import Source, SourceFile, own_file, read_files
from gptgrid.tokens.shards import read_shard

BLOCK = 2**20
"""Ids that are looked at in one go."""


def open_shards(job: Job) -> Source:
    """Open the shards that the configuration names."""
    vocabulary = {"vocab_size": job.config.vocab_size, "eot": job.config.eot}
    return Source(*read_files(job, own_file, read_file), vocabulary=vocabulary)


def read_file(job: Job, name: str, file: SourceFile) -> Iterator[np.ndarray]:
    """Yield the documents of a shard."""
    return shard_documents(file.path, file.name, job.config.vocab_size, job.config.eot)


def shard_documents(path: Path, name: str, vocab_size: int, eot: int | None) -> Iterator[np.ndarray]:
    """Yield the documents of a shard (uint32), without the end-of-text token that begins each.

    Where there is no such token, a document is an arbitrary piece.

    Raises:
        UserError: it is not a shard, or has ids outside the vocabulary.
    """
    # Whether an end-of-text token came, and the ids since. Ids in front of the first one are a document, too.
    begun, pending = False, []
    for block in id_blocks(path, name, vocab_size):
        if eot is None:
            yield block
            continue
        rest, *others = np.split(block, np.flatnonzero(block == eot))
        pending.append(rest)
        for document in others:
            if begun or any(map(len, pending)):
                yield np.concatenate(pending)
            begun, pending = True, [document[1:]]
    if begun or any(map(len, pending)):
        yield np.concatenate(pending)


def id_blocks(path: Path, name: str, vocab_size: int) -> Iterator[np.ndarray]:
    """Yield the ids of a shard (uint32) in blocks of at most BLOCK.

    Raises:
        UserError: it is not a shard, or has ids outside the vocabulary.
    """
    ids = read_shard(path)
    for start in range(0, len(ids), BLOCK):
        block = ids[start : start + BLOCK].astype(np.uint32)
        if (largest := int(block.max())) >= vocab_size:
            raise UserError(
                f"{name} has the id {largest}, but vocab_size is {vocab_size}; give the size of the "
                "vocabulary that the ids are of"
            )
        yield block
