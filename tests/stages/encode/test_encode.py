"""Shards hold the documents in order, whatever the chunks and threads, with the counts that figures need."""

import json
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.stages.encode import encode as stage
from gptgrid.stages.encode.encode import encode
from gptgrid.stages.tokenizer.make import learn_characters, learn_merges
from gptgrid.text.documents import SPLITS, Counts, DocumentWriter, read_documents, write_documents
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec, IdsCodec, write_codec
from gptgrid.tokens.document_table import read_document_table
from gptgrid.tokens.imported import HuggingFaceCodec
from gptgrid.tokens.patterns import PATTERNS
from gptgrid.tokens.shards import open_shards, write_shard

TEXTS = [f"Document {i}: the 今天 sat on {'very ' * (i % 7)}mats.\nAnd {i * i} more." for i in range(300)]
SPECIAL = ("<|user|>", "<|end|>")
CODECS = {
    "bytes": BytesCodec(SPECIAL),
    "char": CharCodec(learn_characters(TEXTS), SPECIAL),
    "bpe": BpeCodec("bpe", PATTERNS["gpt4"], learn_merges(TEXTS, 349, PATTERNS["gpt4"]), SPECIAL),
}


def make_job(
    tmp_path: Path, codec: Codec, files: list[list], shard: int | None = None, marks: str = "text"
) -> Job:
    """Return a job over a corpus whose training split is cut into files."""
    corpus, tokenizer, folder = (tmp_path / name for name in ("corpus", "tokenizer", "out"))
    for path in (corpus, tokenizer, folder):
        path.mkdir(parents=True)
    for split in SPLITS:
        for number, documents in enumerate(files if split == "train" else files[:1]):
            with DocumentWriter(corpus / f"{split}-{number:05d}.parquet", codec.kind == "ids") as writer:
                for document in documents:
                    writer.add(document)
    counted = Counts()
    for document in files[0] if codec.kind != "ids" else []:
        counted.add(document)
    size = (
        vars(counted) if codec.kind != "ids" else {**dict.fromkeys(vars(counted)), "documents": len(files[0])}
    )
    facts = {"splits": dict.fromkeys(SPLITS, size)}
    facts |= {"vocab_size": codec.vocab_size} if codec.kind == "ids" else {}
    (corpus / "manifest.json").write_text(json.dumps({"facts": facts}))
    write_codec(codec, tokenizer / "codec.json")
    inputs = {"corpus": corpus, "tokenizer": tokenizer}
    config = SimpleNamespace(shard=shard, splits=None, private=False, marks=marks)
    return Job(config, inputs, folder, tmp_path / "scratch")


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
    size = json.loads((job.inputs["corpus"] / "manifest.json").read_text())["facts"]["splits"]["valid"]
    assert facts["splits"]["valid"] == {"tokens": len(expected), **size}
    assert (facts["vocab_size"], facts["eot"]) == (codec.vocab_size, codec.eot)
    starts = shards.document_starts(codec.eot)
    table = read_document_table(job.folder, "valid", facts["splits"]["valid"])
    assert table.starts.tolist() == starts.tolist() and len(table) == 300
    assert table.counts["bytes"].tolist() == [len(text.encode()) for text in TEXTS]
    assert table.counts["words"].tolist() == [len(text.split()) for text in TEXTS]
    assert table.totals == facts["splits"]["valid"]


LONG = [
    *TEXTS[:3],
    "The 今天 sat on 12 mats, and don't. " * 300,
    "short",
    "<|user|>Hi<|end|>" * 500,
    "",
    "x" * 5000,
]


@pytest.mark.parametrize("marks", ["text", "special"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", CODECS)
def test_a_long_document_is_encoded_in_parts(
    tmp_path: Path, monkeypatch, name: str, threads: int, marks: str
) -> None:
    monkeypatch.setattr(stage, "CHUNK", 1000)
    codec = CODECS[name]
    job = make_job(tmp_path, codec, [LONG], marks=marks)
    job.threads = threads
    sizes = []
    monkeypatch.setattr(
        stage, "write_shard", lambda path, arrays, size: write_shard(path, measured(arrays, sizes), size)
    )
    facts = encode(job)
    read = codec.encode_marked if marks == "special" else codec.encode
    expected = [[codec.eot, *read(text)] for text in LONG]
    shards = open_shards(job.folder, "test")
    assert shards[0 : len(shards)].tolist() == list(chain(*expected))
    table = read_document_table(job.folder, "test", facts["splits"]["test"])
    assert table.counts["tokens"].tolist() == list(map(len, expected))
    # A word of 5,000 letters, of up to a token each byte, is the longest that cannot be cut.
    assert max(sizes) <= 5001


def measured(arrays, sizes: list[int]):
    for ids in arrays:
        sizes.append(len(ids))
        yield ids


@pytest.mark.parametrize(("marks", "special"), [("text", 0), ("special", 2)])
def test_marks_in_documents_become_special_tokens(tmp_path: Path, marks: str, special: int) -> None:
    codec = CODECS["bpe"]
    texts = ["<|user|>Hi<|endoftext|>there", "<|us<|user|>>"]
    job = make_job(tmp_path, codec, [texts], marks=marks)
    facts = encode(job)
    shards = open_shards(job.folder, "train")
    ids = shards[0 : len(shards)].tolist()
    assert ids.count(codec.special_tokens["<|user|>"]) == special
    # The end of text begins documents, and stands nowhere in them.
    assert [place for place, index in enumerate(ids) if index == codec.eot] == shards.document_starts(
        codec.eot
    ).tolist()
    assert ids.count(codec.eot) == 2
    assert codec.decode(ids, special=True) == "<|endoftext|>" + "<|endoftext|>".join(texts)
    assert facts["splits"]["train"]["bytes"] == sum(len(text.encode()) for text in texts)


def test_marks_without_special_tokens_are_said(tmp_path: Path, capsys) -> None:
    encode(make_job(tmp_path, BytesCodec(), [TEXTS], marks="special"))
    assert "no special tokens that marks of the text could be" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("eot", "expected"), [(None, [0, 1, 2, 3, 4, 9, 9]), (8, [8, 0, 1, 2, 3, 4, 8, 9, 9])]
)
def test_ids_pass_through(tmp_path: Path, eot: int | None, expected: list[int]) -> None:
    documents = [np.arange(5, dtype=np.uint32), np.array([9, 9], dtype=np.uint32)]
    job = make_job(tmp_path, IdsCodec(10, eot), [documents])
    facts = encode(job)["splits"]["test"]
    assert (facts["tokens"], facts["documents"], facts["bytes"]) == (len(expected), 2, None)
    table = read_document_table(job.folder, "test", facts)
    assert table.starts.tolist() == [0, 5 + (eot is not None)] and table.counts["bytes"] is None
    shards = open_shards(job.folder, "test")
    assert shards[0 : len(shards)].tolist() == expected


@pytest.mark.parametrize("key", ["documents", "bytes", "words", "newlines"])
def test_documents_that_do_not_add_up_to_their_split_are_refused(tmp_path: Path, key: str) -> None:
    job = make_job(tmp_path, CODECS["bpe"], [TEXTS])
    path = job.inputs["corpus"] / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["facts"]["splits"]["test"][key] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=rf"test: the documents have \d+ {key} together, but the split has"):
        encode(job)


def test_documents_may_be_empty_and_many(tmp_path: Path) -> None:
    texts = ["", "a", "", "", "b c\n", *["x" * (i % 3) for i in range(5000)], ""]
    job = make_job(tmp_path, CODECS["char"], [texts])
    table = read_document_table(job.folder, "valid", encode(job)["splits"]["valid"])
    assert table.counts["tokens"].tolist() == [1 + len(text) for text in texts]


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_long_documents_that_come_in_parts_are_counted_whole(tmp_path: Path, monkeypatch, chunk: int) -> None:
    monkeypatch.setattr(stage, "CHUNK", chunk)
    texts = ["a b", "", "long " * 300, "", "", "x" * 500, "c"]
    codec = CODECS["bpe"]
    job = make_job(tmp_path, codec, [texts])
    table = read_document_table(job.folder, "test", encode(job)["splits"]["test"])
    assert table.counts["tokens"].tolist() == [1 + len(codec.encode(text)) for text in texts]
    assert table.counts["characters"].tolist() == list(map(len, texts))


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
        "valid-documents.parquet",
        "test-documents.parquet",
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


@pytest.mark.parametrize("marks", ["text", "special"])
@pytest.mark.parametrize("chunk", [5, 2**20])
def test_what_cannot_be_encoded_is_located_and_not_shown(tmp_path: Path, monkeypatch, chunk, marks) -> None:
    monkeypatch.setattr(stage, "CHUNK", chunk)
    documents = ["Jane", "Jane Doe of 12 Elm Street" * 3, "Jane Doe \u2581 12", "Doe"]
    job = make_job(tmp_path, blank_signs(), [documents], marks=marks)
    with pytest.raises(
        UserError, match=r"^train-00000.parquet, document 3.* character 10 on \(U\+2581 "
    ) as error:
        encode(job)
    assert not any(word in str(error.value) for word in ("Jane", "Doe", "12", "\u2581"))


def blank_signs() -> HuggingFaceCodec:
    """Return a tokenizer that writes U+2581 for a blank, and so does not give that sign back."""
    pieces = ["</s>", *(f"<0x{value:02X}>" for value in range(256)), "\u2581"]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, [], byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens(["</s>"])
    return HuggingFaceCodec(json.loads(tokenizer.to_str()))
