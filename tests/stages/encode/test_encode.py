"""Shards hold the documents in order, whatever the chunks and threads, with the counts that figures need."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.stages.encode import encode as stage
from gptgrid.stages.encode.encode import encode
from gptgrid.stages.tokenizer.make import learn_characters, learn_merges
from gptgrid.text.documents import SPLITS, DocumentWriter, read_documents, write_documents
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec, IdsCodec, write_codec
from gptgrid.tokens.patterns import PATTERNS
from gptgrid.tokens.shards import open_shards

TEXTS = [f"Document {i}: the 今天 sat on {'very ' * (i % 7)}mats.\nAnd {i * i} more." for i in range(300)]
CODECS = {
    "bytes": BytesCodec(),
    "char": CharCodec(learn_characters(TEXTS)),
    "bpe": BpeCodec("bpe", PATTERNS["gpt4"], learn_merges(TEXTS, 349, PATTERNS["gpt4"])),
}


def make_job(tmp_path: Path, codec: Codec, files: list[list], shard: int | None = None) -> Job:
    """Return a job over a corpus whose training split is cut into files."""
    corpus, tokenizer, folder = (tmp_path / name for name in ("corpus", "tokenizer", "out"))
    for path in (corpus, tokenizer, folder):
        path.mkdir(parents=True)
    for split in SPLITS:
        for number, documents in enumerate(files if split == "train" else files[:1]):
            with DocumentWriter(corpus / f"{split}-{number:05d}.parquet", codec.kind == "ids") as writer:
                for document in documents:
                    writer.add(document)
    facts = {"splits": {split: {"documents": len(files[0]), "bytes": 99} for split in SPLITS}}
    facts |= {"vocab_size": codec.vocab_size} if codec.kind == "ids" else {}
    (corpus / "manifest.json").write_text(json.dumps({"facts": facts}))
    write_codec(codec, tokenizer / "codec.json")
    inputs = {"corpus": corpus, "tokenizer": tokenizer}
    return Job(SimpleNamespace(shard=shard), inputs, folder, tmp_path / "scratch")


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(("chunk", "threads"), [(1, 1), (500, 1), (500, 3), (2**20, 2)])
def test_shards_are_the_documents_one_by_one(
    tmp_path: Path, monkeypatch, name: str, chunk: int, threads: int
) -> None:
    monkeypatch.setattr(stage, "CHUNK", chunk)
    codec = CODECS[name]
    job = make_job(tmp_path, codec, [TEXTS])
    job.threads = threads
    facts = encode(job)
    expected = [index for text in TEXTS for index in (codec.eot, *codec.encode(text))]
    shards = open_shards(job.folder, "valid")
    assert shards[0 : len(shards)].tolist() == expected
    assert facts["splits"]["valid"] == {"tokens": len(expected), "documents": 300, "bytes": 99}
    assert (facts["vocab_size"], facts["eot"]) == (codec.vocab_size, codec.eot)
    assert len(shards.document_starts(codec.eot)) == 300


@pytest.mark.parametrize(
    ("eot", "expected"), [(None, [0, 1, 2, 3, 4, 9, 9]), (8, [8, 0, 1, 2, 3, 4, 8, 9, 9])]
)
def test_ids_pass_through(tmp_path: Path, eot: int | None, expected: list[int]) -> None:
    documents = [np.arange(5, dtype=np.uint32), np.array([9, 9], dtype=np.uint32)]
    job = make_job(tmp_path, IdsCodec(10, eot), [documents])
    assert encode(job)["splits"]["test"] == {"tokens": len(expected), "documents": 2, "bytes": 99}
    shards = open_shards(job.folder, "test")
    assert shards[0 : len(shards)].tolist() == expected


def test_ids_of_another_corpus_are_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path, IdsCodec(10), [[np.arange(3, dtype=np.uint32)]])
    (job.inputs["corpus"] / "manifest.json").write_text('{"facts": {"vocab_size": 11}}')
    with pytest.raises(UserError, match="the corpus has ids below 11, but the tokenizer has 10"):
        encode(job)


def test_files_encoded_apart_are_what_one_job_makes(tmp_path: Path) -> None:
    files = [TEXTS[:50], TEXTS[50:180], TEXTS[180:]]
    whole = make_job(tmp_path / "whole", CODECS["bpe"], files)
    facts = encode(whole)
    joined = make_job(tmp_path / "joined", CODECS["bpe"], files)
    for number in range(3):
        part = make_job(tmp_path / f"part{number}", CODECS["bpe"], files, shard=number)
        encode(part)
        assert [path.name for path in part.folder.iterdir()] == ["train-00000.bin"]
        joined.inputs[f"shard-{number:05d}"] = part.folder
    assert encode(joined) == facts
    assert {path.name for path in whole.folder.iterdir()} == {
        *(f"train-0000{number}.bin" for number in range(3)),
        "valid-00000.bin",
        "test-00000.bin",
    }
    for path in whole.folder.iterdir():
        assert (joined.folder / path.name).read_bytes() == path.read_bytes()


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
