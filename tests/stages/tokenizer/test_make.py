"""Tokenizers learn the same from the same text, in any process, and say how well they compress."""

import json
import os
import random
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
    config = {"special_tokens": [], "memory": 500_000_000, "marks": "text", **config}
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
    assert f"no more pairs to merge: {facts['vocab_size']} tokens, not 5000" in capsys.readouterr().out


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
    with pytest.raises(
        UserError, match=r"tokenizer.json: the tokenizers library cannot read it .Model missing.*take"
    ):
        make_tokenizer(job)


@pytest.mark.parametrize(
    "content", [b"", b"[1", b"\xff\xfe", b"[]", b"3", b'{"model": 1}', b'{"added_tokens": [1]}', b"{}" * 2]
)
def test_what_is_no_tokenizer_is_explained(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    job = make_job(tmp_path, kind="huggingface", file=str(path), eot=None)
    job.raw = {str(path): file_digest(path)}
    with pytest.raises(UserError, match=r"mine.json.*take another file"):
        make_tokenizer(job)


def write_training_text(job: Job, texts: list[str]) -> int:
    """Give a job another training text; return its bytes."""
    write_documents(job.inputs["corpus"] / "train-00000.parquet", texts)
    size = sum(len(text.encode()) for text in texts)
    facts = {"splits": {"train": {"bytes": size}}}
    (job.inputs["corpus"] / "manifest.json").write_text(json.dumps({"facts": facts}))
    return size


def novel(characters: int) -> str:
    """Return a text in which nearly every piece is new."""
    source = random.Random(0)
    return "".join(chr(source.randrange(0x4E00, 0x4FFF)) if i % 7 else "。" for i in range(1, characters))


@pytest.mark.parametrize("documents", [1, 700], ids=["one document", "many"])
def test_bpe_is_trained_on_what_the_facts_say(tmp_path: Path, capsys, documents: int) -> None:
    text = novel(70_000)
    step = len(text) // documents + 1
    texts = [text[start : start + step] for start in range(0, len(text), step)]
    job = make_job(tmp_path, kind="bpe", vocab_size=600, pattern="gpt4", memory=6_000_000)
    size = write_training_text(job, texts)
    about = make_tokenizer(job)["about"]
    assert about["trained_on"] == about["trained_on_bytes"] / size == pytest.approx(0.5, abs=0.15)
    assert (
        f"trained on {about['trained_on']:.1%} of the text ({about['trained_on_bytes']:,} bytes)"
        in capsys.readouterr().out
    )
    assert read_codec(job.folder).vocab_size == 600


def test_bpe_of_nothing_is_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path, kind="bpe", vocab_size=600, pattern="gpt4", memory=1)
    size = write_training_text(job, [novel(5000)])
    with pytest.raises(
        UserError, match=f"`memory` of 1 bytes takes nothing of {size:,} bytes of text; raise it"
    ):
        make_tokenizer(job)


def test_one_long_document_gives_the_merges_of_its_lines(tmp_path: Path) -> None:
    lines = [
        f"the {word} sat on mat {n}, and 今天 didn't\n" for n in range(900) for word in ("cat", "dog", "cow")
    ]
    made = []
    for name, texts in (("lines", lines), ("whole", ["".join(lines)])):
        (tmp_path / name).mkdir()
        job = make_job(tmp_path / name, kind="bpe", vocab_size=400, pattern="gpt4")
        write_training_text(job, texts)
        make_tokenizer(job)
        made.append((job.folder / "codec.json").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_marks_are_not_learned_from(tmp_path: Path, kind: str) -> None:
    texts = ["<|u‖r|>the cat<|u‖r|>"] * 50 + ["<|endoftext|>"] * 9
    codecs = {}
    for marks in ("text", "special"):
        job = make_job(
            tmp_path, kind=kind, vocab_size=290, pattern="gpt4", special_tokens=["<|u‖r|>"], marks=marks
        )
        write_training_text(job, texts)
        facts = make_tokenizer(job)
        codecs[marks] = read_codec(job.folder)
        train = facts["about"]["compression"]["train"]
        assert train["bytes"] == sum(len(text.encode()) for text in texts)
        read = codecs[marks].encode_marked if marks == "special" else codecs[marks].encode
        assert train["tokens"] == sum(len(read(text)) for text in texts)
    if kind == "char":
        assert "‖" in codecs["text"].characters and "‖" not in codecs["special"].characters
        assert set("<|endoftext|>the cat") == set(codecs["special"].characters)
    else:
        assert "‖" in codecs["text"].decode(range(256, 285)) and "‖" not in codecs["special"].decode(
            range(256, 285)
        )
