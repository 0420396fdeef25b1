"""A tiny text as an encoded corpus, and jobs that train a tiny model on it."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.config.experiment import Run
from gptgrid.config.models import Model
from gptgrid.config.training import Training
from gptgrid.stages.train.deliverables import deliver
from gptgrid.stages.train.trainer import Trainer
from gptgrid.tokens.codec import BytesCodec, write_codec
from gptgrid.tokens.shards import write_shard

MODEL = {"n_layer": 2, "n_head": 2, "d_model": 32, "context": 16}
TRAINING = {
    **{"steps": 12, "batch_tokens": 64, "eval_every": 5, "eval_tokens": 100, "precision": "fp32"},
    "sample_prompt": "The cat",
}
RUN = {**Run(device="cpu").complete(), "checkpoint_every": 1e9, "log_every": 1e9}
EOT = 256
SPLITS = ("train", "valid")


def tokens_of(split: str) -> np.ndarray:
    """Return a few dozen documents about the numbers of a split, shorter and longer than a window."""
    first = {"train": 0, "valid": 100}[split]
    count = {"train": 30, "valid": 12}[split]
    documents = [
        f"The cat {n}. " + "It saw a number of mice. " * (n % 3) for n in range(first, first + count)
    ]
    return np.concatenate([[EOT, *document.encode()] for document in documents]).astype(np.uint16)


def count_bytes(split: str) -> int:
    """Return the UTF-8 bytes of a split."""
    return int((tokens_of(split) != EOT).sum())


@pytest.fixture
def corpus(tmp_path):
    """Return the folders of an encoded corpus and of its tokenizer: bytes."""
    shards, tokenizer = tmp_path / "shards", tmp_path / "tokenizer"
    shards.mkdir()
    tokenizer.mkdir()
    for split in SPLITS:
        write_shard(shards / f"{split}-00000.bin", [tokens_of(split)], 257)
    write_codec(BytesCodec(), tokenizer / "codec.json")
    counts = {split: {"tokens": len(tokens_of(split)), "bytes": count_bytes(split)} for split in SPLITS}
    manifest = {"facts": {"splits": counts}}
    (shards / "manifest.json").write_text(json.dumps(manifest))
    return {"shards": shards, "tokenizer": tokenizer}


@pytest.fixture
def make_job(tmp_path, corpus):
    """Return a function that gives a job; the same name gives the same folders, as after a kill."""

    def make(name="cell", model=None, training=None, run=None, parent=None) -> Job:
        recipe = {**TRAINING, **(training or {})}
        config = {
            "model": Model(**{**MODEL, **(model or {})}).complete(),
            "training": Training(**{k: v for k, v in recipe.items() if v is not None}).complete(),
            "seed": 3,
        }
        for key in ("continues", "use"):  # of the grid, and of what reads the weights
            del config["training"][key]
        folder, scratch = tmp_path / name / "artifact", tmp_path / name / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(exist_ok=True)
        inputs = {**corpus, **({"parent": parent} if parent else {})}
        settings = SimpleNamespace(**{**RUN, **(run or {})})
        return Job(namespace(config), inputs, folder, scratch, settings)

    return make


@pytest.fixture
def train(make_job):
    """Return a function that trains to the end and returns the folder of the deliverables."""

    def run(name="cell", **options) -> Path:
        job = make_job(name, **options)
        trainer = Trainer(job)
        trainer.run()
        deliver(trainer)
        return job.folder

    return run


@pytest.fixture
def same_files():
    """Return a function that asserts that two folders hold the same bytes under the same names."""

    def check(a: Path, b: Path) -> None:
        assert sorted(p.name for p in a.iterdir()) == sorted(p.name for p in b.iterdir())
        for path in a.iterdir():
            assert path.read_bytes() == (b / path.name).read_bytes(), f"{path.name} differs"

    return check
