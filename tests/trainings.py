"""A tiny text as an encoded corpus, and jobs that train a tiny model on it: fixtures for several folders."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from cells import write_splits

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.config.experiment import Run
from gptgrid.config.models import Model
from gptgrid.config.training import Training
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.tokens.codec import BytesCodec, write_codec
from gptgrid.trainer import checkpoint
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.observation import Observer
from gptgrid.trainer.trainer import Trainer

MODEL = {"n_layer": 2, "n_head": 2, "d_model": 32, "context": 16}
TRAINING = {
    **{"steps": 12, "batch_tokens": 64, "eval_every": 5, "eval_bytes": 100, "precision": "fp32"},
    "sample_prompt": "The cat",
}
DEVICE = os.environ.get("GPTGRID_TEST_DEVICE", "cpu")
RUN = {**Run(device=DEVICE).complete(), "checkpoint_every": 1e9, "log_every": 1e9}
EOT = 256
SPLITS = ("train", "valid")


def documents_of(split: str) -> list[str]:
    """Return a few dozen documents about the numbers of a split, shorter and longer than a window."""
    first = {"train": 0, "valid": 100}[split]
    count = {"train": 30, "valid": 12}[split]
    return [f"The cat {n}. " + "It saw a number of mice. " * (n % 3) for n in range(first, first + count)]


@pytest.fixture
def corpus(tmp_path):
    """Return the folders of an encoded corpus and of its tokenizer: bytes."""
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    write_codec(BytesCodec(), tokenizer / "codec.json")
    texts = {split: documents_of(split) for split in SPLITS}
    return {"shards": write_splits(tmp_path / "shards", BytesCodec(), **texts), "tokenizer": tokenizer}


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
        trainer = Trainer(Pretraining(job))
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


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program handles it."""


def kill_at(monkeypatch, event: int) -> None:
    """Let the process die at its n-th event: in an update, a validation, a sample, or half-way in a write."""
    count = 0

    def deadly(owner, name, last_deed=None):
        original = getattr(owner, name)

        def wrapper(*args, **kwargs):
            nonlocal count
            count += 1
            if count == event:
                if last_deed:
                    last_deed(*args)
                raise Killed
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapper)

    deadly(Learner, "update")
    deadly(Observer, "validate")
    deadly(Observer, "sample")
    deadly(checkpoint, "write", lambda path, *rest: path.with_name("state.pt.part").write_bytes(b"half"))
