"""Shards hold the documents in order, whatever the chunks and threads, with the counts that figures need."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gptgrid.encode import encode as stage
from gptgrid.encode.encode import encode
from gptgrid.stage import Job, UserError
from gptgrid.text import read_documents, write_documents
from gptgrid.tokenizer.make import learn_characters, learn_merges
from gptgrid.tokens.codec import BytesCodec, Codec, IdsCodec, write_codec
from gptgrid.tokens.shards import open_shards

TEXTS = [f"Document {i}: the 今天 sat on {'very ' * (i % 7)}mats.\nAnd {i * i} more." for i in range(300)]
CODECS = {
    "bytes": BytesCodec(),
    "char": learn_characters(TEXTS),
    "bpe": learn_merges(SimpleNamespace(vocab_size=350, pattern="gpt4"), TEXTS),
}


def make_job(tmp_path: Path, codec: Codec, documents: list) -> Job:
    """Return a job over a corpus whose splits all hold the same documents."""
    corpus, tokenizer, folder = (tmp_path / name for name in ("corpus", "tokenizer", "out"))
    for path in (corpus, tokenizer, folder):
        path.mkdir()
    for split in stage.SPLITS:
        write_documents(corpus / f"{split}-00000.parquet", documents)
    facts = {"vocab_size": codec.vocab_size} if codec.kind == "ids" else {}
    (corpus / "manifest.json").write_text(json.dumps({"facts": facts}))
    write_codec(codec, tokenizer / "codec.json")
    return Job(SimpleNamespace(), {"corpus": corpus, "tokenizer": tokenizer}, folder, tmp_path / "scratch")


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(("chunk", "threads"), [(1, 1), (500, 1), (500, 3), (2**20, 2)])
def test_shards_are_the_documents_one_by_one(
    tmp_path: Path, monkeypatch, name: str, chunk: int, threads: int
) -> None:
    monkeypatch.setattr(stage, "CHUNK", chunk)
    codec = CODECS[name]
    job = make_job(tmp_path, codec, TEXTS)
    job.threads = threads
    facts = encode(job)
    expected = [index for text in TEXTS for index in (codec.eot, *codec.encode(text))]
    shards = open_shards(job.folder, "valid")
    assert shards[0 : len(shards)].tolist() == expected
    assert facts["splits"]["valid"] == {
        "tokens": len(expected),
        "documents": 300,
        "bytes": sum(len(text.encode()) for text in TEXTS),
        "words": sum(len(text.split()) for text in TEXTS),
        "newlines": 300,
    }
    assert (facts["vocab_size"], facts["eot"]) == (codec.vocab_size, codec.eot)
    assert len(shards.document_starts(codec.eot)) == 300


def test_ids_pass_through(tmp_path: Path) -> None:
    documents = [np.arange(5, dtype=np.uint32), np.array([9, 9], dtype=np.uint32)]
    job = make_job(tmp_path, IdsCodec(10), documents)
    facts = encode(job)
    shards = open_shards(job.folder, "test")
    assert shards[0 : len(shards)].tolist() == [0, 1, 2, 3, 4, 9, 9]
    assert facts["splits"]["test"] == {
        "tokens": 7,
        "documents": 2,
        "bytes": None,
        "words": None,
        "newlines": None,
    }


def test_ids_of_another_corpus_are_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path, IdsCodec(10), [np.arange(3, dtype=np.uint32)])
    (job.inputs["corpus"] / "manifest.json").write_text('{"facts": {"vocab_size": 11}}')
    with pytest.raises(UserError, match="the corpus has ids below 11, but the tokenizer has 10"):
        encode(job)


def test_documents_survive_the_disk(tmp_path: Path) -> None:
    texts = ["", "a", "\x00\n\r\n", "今天" * 1000, *map(str, range(10_000))]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_documents(tmp_path / name / "train-00000.parquet", iter(texts))
    assert list(read_documents(tmp_path / "a", "train")) == texts
    one, two = (tmp_path / name / "train-00000.parquet" for name in "ab")
    assert one.read_bytes() == two.read_bytes()
    with pytest.raises(UserError, match="has no test-"):
        next(read_documents(tmp_path / "a", "test"))
