"""From documents to token shards, in order: many short documents at once, long ones part by part."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.identity import ABOUT
from gptgrid.artifact.job import Job
from gptgrid.artifact.store import link
from gptgrid.stages.encode.sizes import Sizes
from gptgrid.stages.encode.table import describe_tokenizer
from gptgrid.text.documents import SPLITS, batches, stream_file
from gptgrid.text.long_text import Text, pieces_of
from gptgrid.tokens.base import END_OF_TEXT, Codec
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.document_table import table_path
from gptgrid.tokens.shards import read_shard, write_shard

CHUNK = 2**20
"""Characters in one call of the tokenizer: fewer cost calls, more cost memory."""


def encode(job: Job) -> dict[str, Any]:
    """Write `{train,valid,test}-NNNNN.bin`, one for each file of the corpus, and
    `{valid,test}-documents.parquet`; return the facts.

    With `shard`, write that file of the training split alone, as `train-00000.bin`. With other `splits` than
    all, leave out the rest; without the training split, also the description of the tokenizer.
    """
    codec = read_codec(job.inputs["tokenizer"])
    corpus = job.manifest("corpus")["facts"]
    check(codec, corpus.get("vocab_size"))
    facts = {
        "tokenizer": file_digest(job.inputs["tokenizer"] / "codec.json"),
        "vocab_size": codec.vocab_size,
        "eot": codec.eot,
    }
    marks = job.config.marks == "special"
    if marks and codec.special_tokens.keys() <= {END_OF_TEXT}:
        print(
            "the tokenizer has no special tokens that marks of the text could be: they stay text", flush=True
        )
    if job.config.shard is not None:
        source = job.inputs["corpus"] / f"train-{job.config.shard:05d}.parquet"
        with job.timing("train"):
            return {
                **facts,
                "tokens": encode_file(
                    source, job.folder / "train-00000.bin", codec, job.threads, marks=marks
                ),
            }
    splits, wanted = {}, job.config.splits or SPLITS
    for split in wanted:
        with job.timing(split):
            counts = corpus["splits"][split]
            splits[split] = {"tokens": encode_split(job, codec, split, counts), **counts}
        print(f"{split}: {splits[split]['tokens']:,} tokens", flush=True)
    if codec.kind != "ids" and "train" in wanted:
        with job.timing("describe"):
            facts[ABOUT] = describe_tokenizer(
                codec, job.inputs["corpus"], job.folder, job.config.private, marks
            )
    return {**facts, "splits": splits}


def check(codec: Codec, ids_below: int | None) -> None:
    """Refuse ids that the tokenizer does not have: those of another corpus."""
    if ids_below is not None and ids_below > codec.vocab_size:
        raise UserError(
            f"the corpus has ids below {ids_below}, but the tokenizer has {codec.vocab_size}; "
            "leave out `train_on`, so that the tokenizer follows the corpus"
        )


def encode_split(job: Job, codec: Codec, split: str, expected: dict[str, Any]) -> int:
    """Write the files of a split, or link those that other jobs made; return the number of tokens.

    Beside what may be scored in parts, valid and test, lies the table of its documents.

    Args:
        job: what has the corpus among its inputs.
        codec: the tokenizer.
        split: train, valid or test.
        expected: what the corpus says of the split.

    Raises:
        UserError: the documents do not add up to that.
    """
    marks = job.config.marks == "special"
    tokens, sizes = 0, None if split == "train" else Sizes(codec.eot, codec.kind == "ids")
    for number, source in enumerate(sorted(job.inputs["corpus"].glob(f"{split}-*.parquet"))):
        target = job.folder / f"{split}-{number:05d}.bin"
        encoded = job.inputs.get(f"shard-{number:05d}") if split == "train" else None
        if encoded is None:
            tokens += encode_file(source, target, codec, job.threads, sizes, marks)
        else:
            link(encoded / "train-00000.bin", target)
            tokens += len(read_shard(target))
    if sizes is not None:
        table = sizes.table()
        table.check({**expected, "tokens": tokens}, f"{job.inputs['corpus']}, {split}")
        table.write(table_path(job.folder, split))
    return tokens


def encode_file(
    source: Path, target: Path, codec: Codec, threads: int, sizes: Sizes | None = None, marks: bool = False
) -> int:
    """Write a shard of the documents in a parquet file; return the number of tokens.

    Args:
        source: the documents.
        target: the shard.
        codec: the tokenizer.
        threads: of the tokenizer.
        sizes: count each document there.
        marks: the names of special tokens in the documents are these.

    Raises:
        UserError: a document cannot be encoded; which one, but nothing of its text.
    """
    documents = stream_file(source)
    if sizes is not None:
        documents = sizes.documents(documents)
    if codec.kind == "ids":
        arrays = mark_documents(documents, codec.eot)
    else:
        arrays = encode_documents(documents, codec, threads, marks)
    if sizes is not None:
        arrays = sizes.tokens(arrays)
    try:
        return write_shard(target, arrays, codec.vocab_size)
    except UserError as error:
        raise UserError(f"{source.name}, {error}") from None


def mark_documents(documents: Iterable[np.ndarray], eot: int | None) -> Iterator[np.ndarray]:
    """Yield documents of ids, each behind an end-of-text token where there is one."""
    for ids in documents:
        yield ids if eot is None else np.concatenate([np.array([eot], dtype=ids.dtype), ids])


def encode_documents(
    documents: Iterable[Text], codec: Codec, threads: int, marks: bool = False
) -> Iterator[np.ndarray]:
    """Yield the ids of documents in order. tiktoken works outside Python's lock, so threads do."""
    # The first thread that encodes owns the cache of the pattern engine, and slows down all others that
    # encode at the same time (1.6 times the work, measured on two). So let it be this one, which encodes
    # nothing more.
    codec.encode_array(" ")
    with ThreadPoolExecutor(threads) as pool:
        pending: deque = deque()
        for work in works(documents, codec, marks):
            pending.append(pool.submit(work))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def works(documents: Iterable[Text], codec: Codec, marks: bool) -> Iterator[Callable[[], np.ndarray]]:
    """Yield what encodes the documents, one piece of work after the other, each of about CHUNK characters."""
    number = 1
    for *short, last in batches(documents, CHUNK):
        if len(last) < 2 * CHUNK:  # which no LongText is
            short.append(last)
        if short:
            yield partial(
                encode_located, partial(codec.encode_stream, short, marks), short, number, codec, marks
            )
        number += len(short)
        if len(last) >= 2 * CHUNK:
            parts = chain([[codec.eot]], codec.parts(pieces_of(last), CHUNK, marks))
            for some in batches(parts, CHUNK):
                yield partial(encode_located, partial(codec.join, some), [last], number, codec, marks)
            number += 1


def encode_located(
    work: Callable[[], np.ndarray], documents: list[Text], number: int, codec: Codec, marks: bool
) -> np.ndarray:
    """Do a piece of work on some documents, the first of which has a number.

    Raises:
        UserError: one of them cannot be encoded; which one.
    """
    try:
        return work()
    except UserError:
        for place, text in enumerate(documents, number):
            try:
                codec.encode_stream([str(text)], marks)
            except UserError as error:
                counted = " (characters counted anew after each mark)" if marks else ""
                raise UserError(f"document {place}{counted}: {error}") from None
        raise
