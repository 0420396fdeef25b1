"""Ready-made token shards, to train on without their text."""

from collections.abc import Iterable, Iterator
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
    parts, facts = read_files(job, own_file, read_file)
    eot = job.config.eot
    if eot is not None:
        parts = {part: documents_of(blocks, eot) for part, blocks in parts.items()}
    return Source(parts, facts, vocabulary={"vocab_size": job.config.vocab_size, "eot": eot})


def read_file(job: Job, name: str, file: SourceFile) -> Iterator[np.ndarray]:
    """Yield the ids of a shard in blocks, which are the documents where no token ends these."""
    return id_blocks(file.path, file.name, job.config.vocab_size)


def documents_of(blocks: Iterable[np.ndarray], eot: int) -> Iterator[np.ndarray]:
    """Yield the documents (uint32) of the ids of several files, without the end-of-text tokens between them.

    Files are cut at a number of ids, not between documents, so that the last document of one goes on in the
    next. The token stands before each document, or where the first ids are others, behind each.
    """
    # Whether the token stands before documents, whether one came, and the ids since.
    before, begun, pending = None, False, []
    for block in blocks:
        before = bool(block[0] == eot) if before is None else before
        rest, *others = np.split(block, np.flatnonzero(block == eot))
        pending.append(rest)
        for document in others:
            if begun or any(map(len, pending)):
                yield np.concatenate(pending)
            begun, pending = True, [document[1:]]
    if before or any(map(len, pending)):
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
