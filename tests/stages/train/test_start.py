"""A training that starts from the weights of others begins with their logits, and learns from there."""

import csv
from types import SimpleNamespace

import pytest
import torch
from cells import write_splits
from checkpoints import VOCAB, gpt2, llama, qwen3, write
from trainings import RUN, TRAINING, documents_of

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.config.checkpoints import read_checkpoint
from gptgrid.config.models import Model
from gptgrid.config.training import Training
from gptgrid.model.load import load_model, read_recipe
from gptgrid.stages.train.make import make
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.tokens.codec import BytesCodec, write_codec
from gptgrid.trainer.trainer import Trainer

THEIRS = {
    "gpt2": gpt2,
    "gpt2, untied": lambda: gpt2(tie_word_embeddings=False),
    "llama": llama,
    "qwen3": qwen3,
}


@pytest.fixture
def start(tmp_path):
    """Return a function that gives a job that starts from a model of transformers."""

    def make_start(module, special=(), **training) -> Job:
        checkpoint = read_checkpoint(write(tmp_path / "theirs", module))
        for name in ("artifact", "scratch", "tokenizer"):
            (tmp_path / name).mkdir(exist_ok=True)
        codec = BytesCodec(special)
        write_codec(codec, tmp_path / "tokenizer" / "codec.json")
        texts = {split: documents_of(split) for split in ("train", "valid")}
        if not (tmp_path / "shards").exists():
            write_splits(tmp_path / "shards", codec, **texts)
        values = {**TRAINING, "batch_tokens": 96, **training}
        config = {
            "model": Model(**checkpoint.keys).complete(),
            "training": Training(**values).complete(),
            "seed": 3,
            "start": {"vocab_size": checkpoint.vocab_size, "begins_with": checkpoint.begins_with},
        }
        inputs = {"shards": tmp_path / "shards", "tokenizer": tmp_path / "tokenizer"}
        raw = {str(path): file_digest(path) for path in checkpoint.files}
        folders = tmp_path / "artifact", tmp_path / "scratch"
        return Job(namespace(config), inputs, *folders, SimpleNamespace(**RUN), raw)

    return make_start


@pytest.mark.parametrize("name", THEIRS)
def test_the_first_logits_are_those_of_transformers(name, start):
    theirs = THEIRS[name]()
    trainer = Trainer(Pretraining(start(theirs)))
    ids = torch.randint(VOCAB, (3, 24), generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), trainer.learner.evaluating():
        assert torch.allclose(trainer.learner.module(ids), theirs(ids).logits, atol=1e-5)


def test_a_training_goes_on_from_there(start):
    job = start(llama(), lr=1e-3)
    facts = make(job)
    assert facts["vocab_size"] == read_recipe(job.folder)["vocab_size"] == VOCAB
    assert facts["status"] == "finished" and load_model(job.folder).vocab_size == VOCAB
    with (job.folder / "metrics.csv").open(newline="") as file:
        losses = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0] - 0.2


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(start):
    with pytest.raises(UserError, match=r"has 262 tokens, but config\.json a vocab_size of 260"):
        Pretraining(start(gpt2(), special=[f"<|{n}|>" for n in range(5)]))
