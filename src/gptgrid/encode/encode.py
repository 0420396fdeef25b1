"""From documents to token shards: in chunks of whole documents, in order, with flat memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from gptgrid.stage import Job, UserError, file_digest
from gptgrid.text import read_documents
from gptgrid.tokens.codec import Codec, read_codec
from gptgrid.tokens.shards import write_shard

CHUNK = 2**20
"""Characters in one call of the tokenizer: fewer cost calls, more cost memory."""
SPLITS = ("train", "valid", "test")


@dataclass
class Counts:
    """What goes through, counted on the way."""

    documents: int = 0
    bytes: int = 0
    words: int = 0
    newlines: int = 0

    def add(self, text: str) -> None:
        self.documents += 1
        self.bytes += len(text.encode())
        self.words += len(text.split())
        self.newlines += text.count("\n")


def encode(job: Job) -> dict[str, Any]:
    """Write `{train,valid,test}-00000.bin`; return the facts."""
    codec = read_codec(job.inputs["tokenizer"])
    check(codec, job.manifest("corpus")["facts"].get("vocab_size"))
    splits = {}
    for split in SPLITS:
        with job.timing(split):
            splits[split] = encode_split(job, codec, split)
        print(f"{split}: {splits[split]['tokens']:,} tokens", flush=True)
    return {
        "tokenizer": file_digest(job.inputs["tokenizer"] / "codec.json"),
        "vocab_size": codec.vocab_size,
        "eot": codec.eot,
        "splits": splits,
    }


def check(codec: Codec, ids_below: int | None) -> None:
    """Refuse ids that the tokenizer does not have: those of another corpus."""
    if ids_below is not None and ids_below > codec.vocab_size:
        raise UserError(
            f"the corpus has ids below {ids_below}, but the tokenizer has {codec.vocab_size}; "
            "leave out `train_on`, so that the tokenizer follows the corpus"
        )


def encode_split(job: Job, codec: Codec, split: str) -> dict[str, Any]:
    """Write one split; return its counts, which mean nothing for corpora of ids and are None there."""
    documents = read_documents(job.inputs["corpus"], split)
    path = job.folder / f"{split}-00000.bin"
    if codec.kind == "ids":
        arrays = list(documents)
        unknown = dict.fromkeys(("bytes", "words", "newlines"))
        return {"tokens": write_shard(path, arrays, codec.vocab_size), "documents": len(arrays), **unknown}
    counts = Counts()
    arrays = streams(codec, chunks(documents, counts), job.threads)
    tokens = write_shard(path, arrays, codec.vocab_size)
    return {"tokens": tokens, **vars(counts)}


def chunks(documents: Iterable[str], counts: Counts) -> Iterator[list[str]]:
    """Yield runs of whole documents, about CHUNK characters each."""
    chunk, size = [], 0
    for text in documents:
        counts.add(text)
        chunk.append(text)
        size += len(text)
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def streams(codec: Codec, chunked: Iterable[list[str]], threads: int) -> Iterator[np.ndarray]:
    """Yield the ids of each chunk in order. tiktoken works outside Python's lock, so threads do."""
    with ThreadPoolExecutor(threads) as pool:
        pending: deque = deque()
        for chunk in chunked:
            pending.append(pool.submit(codec.encode_stream, chunk))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
