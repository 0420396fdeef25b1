"""From documents to token shards: in chunks of whole documents, in order, with flat memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.identity import ABOUT
from gptgrid.artifact.job import Job
from gptgrid.artifact.store import link
from gptgrid.stages.encode.table import describe_tokenizer
from gptgrid.text.documents import SPLITS, batches, read_file
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.shards import read_shard, write_shard

CHUNK = 2**20
"""Characters in one call of the tokenizer: fewer cost calls, more cost memory."""


def encode(job: Job) -> dict[str, Any]:
    """Write `{train,valid,test}-NNNNN.bin`, one for each file of the corpus; return the facts.

    With `shard`, write that file of the training split alone, as `train-00000.bin`.
    """
    codec = read_codec(job.inputs["tokenizer"])
    corpus = job.manifest("corpus")["facts"]
    check(codec, corpus.get("vocab_size"))
    facts = {
        "tokenizer": file_digest(job.inputs["tokenizer"] / "codec.json"),
        "vocab_size": codec.vocab_size,
        "eot": codec.eot,
    }
    if job.config.shard is not None:
        source = job.inputs["corpus"] / f"train-{job.config.shard:05d}.parquet"
        with job.timing("train"):
            return {
                **facts,
                "tokens": encode_file(source, job.folder / "train-00000.bin", codec, job.threads),
            }
    splits = {}
    for split in SPLITS:
        with job.timing(split):
            splits[split] = {"tokens": encode_split(job, codec, split), **corpus["splits"][split]}
        print(f"{split}: {splits[split]['tokens']:,} tokens", flush=True)
    if codec.kind != "ids":
        with job.timing("describe"):
            private = corpus.get(ABOUT, {}).get("private", False)
            facts[ABOUT] = describe_tokenizer(codec, job.inputs["corpus"], job.folder, private)
    return {**facts, "splits": splits}


def check(codec: Codec, ids_below: int | None) -> None:
    """Refuse ids that the tokenizer does not have: those of another corpus."""
    if ids_below is not None and ids_below > codec.vocab_size:
        raise UserError(
            f"the corpus has ids below {ids_below}, but the tokenizer has {codec.vocab_size}; "
            "leave out `train_on`, so that the tokenizer follows the corpus"
        )


def encode_split(job: Job, codec: Codec, split: str) -> int:
    """Write the files of a split, or link those that other jobs made; return the number of tokens."""
    tokens = 0
    for number, source in enumerate(sorted(job.inputs["corpus"].glob(f"{split}-*.parquet"))):
        target = job.folder / f"{split}-{number:05d}.bin"
        encoded = job.inputs.get(f"shard-{number:05d}") if split == "train" else None
        if encoded is None:
            tokens += encode_file(source, target, codec, job.threads)
        else:
            link(encoded / "train-00000.bin", target)
            tokens += len(read_shard(target))
    return tokens


def encode_file(source: Path, target: Path, codec: Codec, threads: int) -> int:
    """Write a shard of the documents in a parquet file; return the number of tokens."""
    documents = read_file(source)
    if codec.kind == "ids":
        arrays = mark_documents(documents, codec.eot)
    else:
        arrays = encode_documents(documents, codec, threads)
    return write_shard(target, arrays, codec.vocab_size)


def mark_documents(documents: Iterable[np.ndarray], eot: int | None) -> Iterator[np.ndarray]:
    """Yield documents of ids, each behind an end-of-text token where there is one."""
    for ids in documents:
        yield ids if eot is None else np.concatenate([np.array([eot], dtype=ids.dtype), ids])


def encode_documents(documents: Iterable[str], codec: Codec, threads: int) -> Iterator[np.ndarray]:
    """Yield the ids of documents in order. tiktoken works outside Python's lock, so threads do."""
    # The first thread that encodes owns the cache of the pattern engine, and slows down all others that
    # encode at the same time (1.6 times the work, measured on two). So let it be this one, which encodes
    # nothing more.
    codec.encode_array(" ")
    with ThreadPoolExecutor(threads) as pool:
        pending: deque = deque()
        for chunk in batches(documents, CHUNK):
            pending.append(pool.submit(codec.encode_stream, chunk))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
