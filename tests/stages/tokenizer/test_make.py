"""Tokenizers learn the same from the same text, in any process, and say how well they compress."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.job import Job
from gptgrid.stages import tokenizer
from gptgrid.stages.tokenizer.make import make_tokenizer
from gptgrid.text.documents import write_documents
from gptgrid.tokens.codec import read_codec

TEXTS = [f"the {word} sat on the mat, and 今天 the {word} slept" for word in ("cat", "dog", "cow")] * 20


def make_job(tmp_path: Path, **config: object) -> Job:
    corpus, folder = tmp_path / "corpus", tmp_path / "out"
    for path in (corpus, folder):
        path.mkdir(exist_ok=True)
    for split in ("train", "valid", "test"):
        write_documents(corpus / f"{split}-00000.parquet", TEXTS if split == "train" else ["the owl 😀"])
    size = sum(len(text.encode()) for text in TEXTS)
    facts = {"splits": {"train": {"bytes": size}}, "vocab_size": 12}
    (corpus / "manifest.json").write_text(json.dumps({"facts": facts}))
    config = {"special_tokens": [], "memory": 500_000_000, **config}
    return Job(SimpleNamespace(**config), {"corpus": corpus}, folder, tmp_path)


def test_bpe_has_the_size_asked_for_and_compresses(tmp_path: Path) -> None:
    job = make_job(tmp_path, kind="bpe", vocab_size=280, pattern="gpt4")
    facts = make_tokenizer(job)
    codec = read_codec(job.folder)
    assert (facts["vocab_size"], facts["eot"]) == (280, 279) == (codec.vocab_size, codec.eot)
    train = facts["about"]["compression"]["train"]
    assert train["bytes"] == sum(len(text.encode()) for text in TEXTS)
    assert train["tokens"] == sum(len(codec.encode(text)) for text in TEXTS)
    assert train["bytes_per_token"] == train["bytes"] / train["tokens"] > 1.5
    assert json.loads((job.folder / "tokenizer.json").read_text())["model"]["type"] == "BPE"


def test_the_smallest_vocabulary_has_no_merges(tmp_path: Path) -> None:
    job = make_job(tmp_path, kind="bpe", vocab_size=257, pattern="gpt4")
    assert make_tokenizer(job)["vocab_size"] == 257
    assert read_codec(job.folder).encode("the 今") == list("the 今".encode())


def test_a_small_text_runs_out_of_merges(tmp_path: Path, capsys) -> None:
    facts = make_tokenizer(make_job(tmp_path, kind="bpe", vocab_size=5000, pattern="gpt4"))
    assert 256 < facts["vocab_size"] < 5000
    assert f"no more pairs to merge: {facts['vocab_size'] - 1} tokens, not 4999" in capsys.readouterr().out


def test_char_learns_from_the_training_split_alone(tmp_path: Path) -> None:
    job = make_job(tmp_path, kind="char")
    facts = make_tokenizer(job)
    assert facts["vocab_size"] == 256 + len(set("".join(TEXTS))) + 1
    assert "😀" not in read_codec(job.folder).characters


PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from test_make import make_job
from gptgrid.stages.tokenizer.make import make_tokenizer
folder = Path(sys.argv[3]); folder.mkdir()
make_tokenizer(make_job(folder, kind="bpe", vocab_size=300, pattern="o200k"))
"""


def test_another_process_learns_the_same_bytes(tmp_path: Path) -> None:
    source = Path(tokenizer.__file__).parents[3]
    for name in ("a", "b"):
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            str(Path(__file__).parent),
            str(source),
            str(tmp_path / name),
        ]
        # Hash seeds differ between the two: no order may come from a set.
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": str(ord(name))})
    for file in ("codec.json", "tokenizer.json"):
        assert (tmp_path / "a/out" / file).read_bytes() == (tmp_path / "b/out" / file).read_bytes()


@pytest.mark.parametrize(("kind", "vocab_size"), [("bytes", 257), ("ids", 12)])
def test_kinds_that_learn_nothing(tmp_path: Path, kind: str, vocab_size: int) -> None:
    job = make_job(tmp_path, kind=kind)
    assert make_tokenizer(job)["vocab_size"] == vocab_size


def test_special_tokens_are_part_of_the_vocabulary(tmp_path: Path) -> None:
    job = make_job(
        tmp_path, kind="bpe", vocab_size=280, pattern="gpt4", special_tokens=["<|user|>", "<|end|>"]
    )
    assert make_tokenizer(job)["vocab_size"] == 280
    assert read_codec(job.folder).special_tokens == {"<|endoftext|>": 277, "<|user|>": 278, "<|end|>": 279}
    added = json.loads((job.folder / "tokenizer.json").read_text())["added_tokens"]
    assert [(token["content"], token["id"]) for token in added] == [
        *read_codec(job.folder).special_tokens.items()
    ]


def test_hugging_face_file(tmp_path: Path) -> None:
    made = make_job(tmp_path, kind="bpe", vocab_size=280, pattern="gpt4")
    make_tokenizer(made)
    path = made.folder / "tokenizer.json"
    job = make_job(tmp_path, kind="huggingface", file=str(path), eot=None)
    job.folder = tmp_path / "again"
    job.folder.mkdir()
    job.raw = {str(path): file_digest(path)}
    facts = make_tokenizer(job)
    assert (facts["vocab_size"], facts["eot"]) == (280, 279)
    assert read_codec(job.folder).encode(TEXTS[0]) == read_codec(made.folder).encode(TEXTS[0])
    assert json.loads((job.folder / "tokenizer.json").read_text()) == json.loads(path.read_text())
    path.write_text("{}")
    with pytest.raises(UserError, match="changed after the plan"):
        make_tokenizer(job)
    job.raw = {str(path): file_digest(path)}
    with pytest.raises(UserError, match="byte-level"):
        make_tokenizer(job)
