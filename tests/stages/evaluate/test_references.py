"""What needs no network is measured on what a cell is measured on, and says how."""

import json
import lzma
import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
from cells import write_corpus, write_splits

from gptgrid.artifact.job import Job
from gptgrid.stages.evaluate import compression, ngrams
from gptgrid.stages.evaluate.compression import compress
from gptgrid.stages.evaluate.ngrams import count_grams
from gptgrid.text.documents import Counts
from gptgrid.tokens.codec import BytesCodec, IdsCodec
from gptgrid.tokens.document_scores import read_document_scores
from gptgrid.tokens.document_table import open_scored_text
from gptgrid.tokens.frequencies import guessing, token_counts
from gptgrid.tokens.ngram import models
from gptgrid.tokens.shards import open_shards

WORDS = [
    "the",
    "cat",
    "dog",
    "sat",
    "ran",
    "on",
    "under",
    "a",
    "mat",
    "tree",
    "and",
    "then",
    "fox",
    "Käfer",
    "狐狸",
]


def stories(number: int, seed: int) -> list[str]:
    """Return documents of which each word depends on the one before it."""
    draw, found = random.Random(seed), []
    for _ in range(number):
        place, words = 0, []
        for _ in range(draw.randint(3, 30)):
            place = (3 * place + draw.choice([0, 0, 0, 1, 2])) % len(WORDS)
            words.append(WORDS[place])
        found.append(" ".join(words) + ".\n")
    return found


TEXTS = {"train": stories(200, 1), "valid": stories(20, 2), "test": stories(30, 3)}


@pytest.fixture
def make_job(tmp_path):
    """Return a function that gives a job over shards and a corpus."""

    def make(codec=None, limit=None, name="one", **splits) -> Job:
        root, splits = tmp_path / name, {**TEXTS, **splits}
        folder = root / "artifact"
        folder.mkdir(parents=True)
        codec = codec or BytesCodec()
        shards = write_splits(root / "shards", codec, **splits)
        manifest = json.loads((shards / "manifest.json").read_text())
        manifest["facts"]["vocab_size"] = codec.vocab_size
        (shards / "manifest.json").write_text(json.dumps(manifest))
        inputs = {"shards": shards}
        if codec.kind != "ids":
            inputs["corpus"] = write_corpus(root / "corpus", **splits)
            size = sum(len(text.encode()) for text in splits["train"])
            facts = {"splits": {"train": {"documents": len(splits["train"]), "bytes": size}}}
            (root / "corpus" / "manifest.json").write_text(json.dumps({"facts": facts}))
        return Job(SimpleNamespace(bytes=limit), inputs, folder, root / "scratch")

    return make


def references(job: Job) -> dict:
    return json.loads((job.folder / "references.json").read_text())


# --------------------------------------------------------------------------------------- over tokens


def test_figures_are_those_of_the_model_over_what_a_cell_is_scored_on(make_job):
    job = make_job()
    facts = count_grams(job)
    found, shards = references(job), job.inputs["shards"]
    training = open_shards(shards, "train")
    counts = job.manifest("shards")["facts"]["splits"]
    texts = [open_scored_text(shards, split, counts[split], None, "") for split in ("valid", "test")]
    order = int(found["kneser-ney"]["definition"].split("of order ")[1].split(",")[0])
    assert order > 2
    by_order = list(models(training[:], [text.tokens[:] for text in texts], 257))
    losses = [[-np.log(each).mean() for each in probabilities] for probabilities in by_order]
    assert order == np.argmin([valid for valid, _ in losses]) + 1
    assert found["kneser-ney"]["valid"]["val_loss"] == pytest.approx(losses[order - 1][0])
    assert found["kneser-ney"]["test"]["test_loss"] == pytest.approx(losses[order - 1][1])
    frequencies = token_counts(training, 257)
    for split, text in zip(("val", "test"), texts, strict=True):
        own = found["unigram"][{"val": "valid"}.get(split, split)]
        # `guessing` counts the first token, too, which no cell predicts.
        first = -math.log((frequencies[256] + np.count_nonzero(frequencies) / 257) / 1)
        total = math.log(int(frequencies.sum()) + np.count_nonzero(frequencies))
        assert own["nats"] + first + total == pytest.approx(
            guessing(frequencies, text.tokens) * len(text.tokens)
        )
        assert own["text_digest"] == text.digest and own["scored_tokens"] == len(text.tokens) - 1
    test = found["kneser-ney"]["test"]
    size = Counts()
    for document in TEXTS["test"]:
        size.add(document)
    assert test["bpb"] == test["nats"] / size.bytes / math.log(2)
    assert (test["bytes"], test["documents"], test["documents_of_split"]) == (size.bytes, 30, 30)
    assert test["test_loss"] < found["unigram"]["test"]["test_loss"]
    assert facts == {name: each["test"]["test_loss"] for name, each in found.items()}
    assert {each["train_tokens"] for each in found.values()} == {len(training)}


def test_the_documents_add_up_to_the_bit_and_hold_figures_alone(make_job):
    job = make_job()
    count_grams(job)
    found = references(job)
    for split in ("valid", "test"):
        for name in ("unigram", "kneser-ney"):
            columns = read_document_scores(job.folder, ["document", "tokens", "bytes", f"nats_{name}"])[split]
            assert math.fsum(columns[f"nats_{name}"]) == found[name][split]["nats"]
            assert columns["bytes"].tolist() == [len(text.encode()) for text in TEXTS[split]]
            # Its bytes, and the end-of-text token of the next document; the last has none.
            ends = [1] * (len(TEXTS[split]) - 1) + [0]
            assert columns["tokens"].tolist() == [
                size + end for size, end in zip(columns["bytes"].tolist(), ends, strict=True)
            ]
    assert sorted(path.name for path in job.folder.iterdir()) == ["documents.parquet", "references.json"]


def test_a_part_of_the_text_is_the_part_that_cells_are_scored_on(make_job):
    job = make_job(limit=300)
    count_grams(job)
    job.scratch.mkdir()
    compress(Job(job.config, job.inputs, job.scratch, job.scratch))
    counts = job.manifest("shards")["facts"]["splits"]
    for split in ("valid", "test"):
        text = open_scored_text(job.inputs["shards"], split, counts[split], 300, "")
        own = references(job)["kneser-ney"][split]
        assert own["text_digest"] == text.digest
        assert 300 <= own["bytes"] < own["bytes_of_split"]
    xz = json.loads((job.scratch / "references.json").read_text())["xz"]["test"]
    assert (xz["documents"], xz["bytes"]) == (text.totals["documents"], text.totals["bytes"])


def test_a_long_training_text_is_counted_from_its_start_and_the_row_says_so(make_job, monkeypatch):
    job = make_job()
    monkeypatch.setattr(ngrams, "COUNTED", 1000)
    count_grams(job)
    tokens = len(open_shards(job.inputs["shards"], "train"))
    found = references(job)
    assert found["kneser-ney"]["train_tokens"] == 1000
    assert found["kneser-ney"]["definition"].endswith(
        f" Counted in the first 1,000 of {tokens:,} training tokens."
    )
    assert "Counted" not in found["unigram"]["definition"]


def test_bare_ids_have_nats_per_token_and_no_bytes(make_job):
    draw = np.random.default_rng(1)
    ids = {split: [draw.integers(20, size=400).tolist()] for split in TEXTS}
    job = make_job(IdsCodec(20, None), **ids)
    count_grams(job)
    test = references(job)["kneser-ney"]["test"]
    assert test["bpb"] is None and test["test_loss"] == pytest.approx(math.log(20), abs=0.1)


def test_equal_inputs_give_equal_bytes(make_job):
    jobs = [make_job(name=name) for name in ("one", "other")]
    for job in jobs:
        count_grams(job)
    one, other = ({path.name: path.read_bytes() for path in job.folder.iterdir()} for job in jobs)
    assert one == other


# -------------------------------------------------------------------------------------------- bytes


def test_xz_is_the_difference_of_two_sizes(make_job):
    job = make_job()
    facts = compress(job)
    train, test = (b"".join(text.encode() + b"\0" for text in TEXTS[split]) for split in ("train", "test"))
    size = {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": len(train) + len(test)}
    before, after = (
        len(lzma.compress(text, lzma.FORMAT_RAW, filters=[size])) for text in (train, train + test)
    )
    text_bytes = sum(len(text.encode()) for text in TEXTS["test"])
    assert facts == {"xz": 8 * (after - before) / text_bytes}
    found = references(job)["xz"]
    assert found["test"] == {
        "documents": 30,
        "documents_of_split": 30,
        "bytes": text_bytes,
        "bpb": facts["xz"],
    }
    assert f"a dictionary of {len(train) + len(test):,} bytes" in found["definition"]
    assert "behind the training text, less" in found["definition"]


def test_xz_of_what_stands_in_the_training_text_is_next_to_nothing_and_of_noise_all(make_job):
    draw = random.Random(1)
    noise = ["".join(draw.choices("0123456789abcdef", k=20_000)) for _ in range(2)]
    copied = make_job(name="copied", train=noise, valid=noise, test=noise[:1])
    other = make_job(name="other", train=noise[:1], valid=noise, test=noise[1:])
    assert compress(copied)["xz"] < 0.05
    assert compress(other)["xz"] == pytest.approx(4, rel=0.15)


def test_a_long_training_text_is_read_from_its_start_even_of_one_document(make_job, monkeypatch):
    monkeypatch.setattr(compression, "TRAINING", 1000)
    whole = " ".join(TEXTS["train"]).encode("ascii", "ignore").decode()
    job, cut = make_job(train=[whole]), make_job(name="cut", train=[whole[:999]])
    assert compress(job)["xz"] == pytest.approx(compress(cut)["xz"], rel=0.01)
    size = len(whole) + 1
    assert f"behind the first 1,000 of {size:,} training bytes, less" in references(job)["xz"]["definition"]
