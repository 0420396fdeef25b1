"""A training that diverges or stops early is a result too: what it keeps, and what it says."""

import csv
import json
import math
import signal

import pytest
import torch
from safetensors.torch import load_file

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import canonical
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.trainer import checkpoint
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.observation import Observer
from gptgrid.trainer.stopping import describe_divergence
from gptgrid.trainer.trainer import Trainer

NOT_A_NUMBER = {"lr": 1e30, "warmup": 0, "grad_clip": 0, "eval_every": 4}
NO_LOSSES = dict.fromkeys(("val_loss", "val_bpb", "best_step", "last_val_loss", "last_val_bpb"))
WEIGHTS = ("model.safetensors", "last.safetensors")


@pytest.fixture
def finish(make_job):
    """Return a function that trains to the end and returns the folder and the facts."""

    def run(name, **options):
        trainer = Trainer(Pretraining(make_job(name, **options)))
        trainer.run()
        return trainer.job.folder, deliver(trainer)

    return run


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def stop_after_a_step(job):
    trainer = Trainer(Pretraining(job))
    trainer.interrupts.received = signal.SIGTERM
    with pytest.raises(SystemExit):
        trainer.run()


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_loss_that_is_no_number_ends_with_the_first_weights(ema, finish, make_job, same_files, train):
    options = {"training": {**NOT_A_NUMBER, "ema": ema}}
    folder, facts = finish("straight", **options)
    assert facts["status"] == "diverged" and facts["steps"] < 12
    assert f"at step {facts['steps']} " in facts["ended"] and "training.lr" in facts["ended"]
    assert {key: facts[key] for key in NO_LOSSES} == NO_LOSSES
    json.loads(canonical(facts))
    first = build(make_job().config.model, 257, 256)
    initialize(first, 3)
    for kept in (load_file(folder / weights) for weights in WEIGHTS):
        assert all(torch.equal(kept[name], weight) for name, weight in first.named_parameters())
    assert "nan" not in (folder / "metrics.csv").read_text().lower()
    assert rows(folder)[-1]["train_loss"] == "" and rows(folder)[-1]["step"] == str(facts["steps"])
    stop_after_a_step(make_job("broken", **options))
    same_files(folder, train("broken", **options))
    with pytest.raises(UserError, match=r"cannot continue .*, which diverged: the training loss was nan"):
        train("child", training={**NOT_A_NUMBER, "steps": 20}, parent=folder)


@pytest.fixture
def let_the_loss_be(monkeypatch):
    """Return a function that lets the training loss be what another function makes of it and of the step."""

    def patch(loss):
        true_loss = Observer.mean_loss
        monkeypatch.setattr(
            Observer, "mean_loss", lambda observer: loss(true_loss(observer), observer.progress["step"])
        )

    return patch


def test_long_worse_than_guessing_ends_with_what_was_validated(finish, let_the_loss_be):
    limit = 1.5 * math.log(257)
    let_the_loss_be(lambda loss, step: loss if step < 8 else limit + 0.1)
    folder, facts = finish("cell", training={"steps": 40, "eval_every": 3})
    assert (facts["status"], facts["steps"]) == ("diverged", 17)  # the tenth such row
    assert facts["ended"].startswith("the training loss was 8.424 at step 17 ")
    state = checkpoint.read(folder / "state.pt")
    assert state["best"]["step"] in (3, 6, 9, 12, 15)
    for kept in (load_file(folder / weights) for weights in WEIGHTS):
        assert all(torch.equal(kept[name], weight) for name, weight in state["best"]["weights"].items())
    assert {key: facts[key] for key in NO_LOSSES} == NO_LOSSES


def test_spikes_pass(finish, let_the_loss_be):
    let_the_loss_be(lambda loss, step: loss if step % 10 == 0 else 1e6)
    _, facts = finish("cell", training={"steps": 40})
    assert (facts["status"], facts["ended"]) == ("finished", None)


def test_a_validation_loss_that_is_no_number_ends(finish, monkeypatch):
    monkeypatch.setattr(Observer, "validate", lambda observer: math.inf)
    folder, facts = finish("cell")
    assert facts["ended"].startswith("the validation loss was inf at step 5 ")
    assert rows(folder)[-1]["val_loss"] == "" != rows(folder)[-1]["train_loss"]


def test_patience_ends(finish, make_job, same_files, train):
    """Nothing is learned, so no validation is better than the first one."""
    training = {"lr": 1e-30, "min_lr": 0, "weight_decay": 0, "steps": 40, "patience": 2}
    folder, facts = finish("straight", training=training)
    assert (facts["status"], facts["steps"], facts["best_step"]) == ("stopped early", 15, 5)
    assert facts["ended"] == (
        "no lower validation loss than that of step 5 in 2 validations; stopped at step 15 of 40"
    )
    stop_after_a_step(make_job("broken", training=training))
    same_files(folder, train("broken", training=training))
    _, facts = finish("longer", training={**training, "steps": 60}, parent=folder)
    assert facts["steps"] == 25  # it has its own patience


@pytest.mark.parametrize(
    ("precision", "more"),
    [("fp32", ""), ("bf16", ""), ("fp16", "; or take precision bf16 or fp32 in place of fp16")],
)
def test_another_precision_is_advised_where_it_helps(precision, more):
    assert describe_divergence("training", math.nan, 7, 0.5, precision, 1.0) == (
        "the training loss was nan at step 7 (learning rate 0.5); lower training.lr, lengthen "
        f"training.warmup or lower training.grad_clip (now 1){more}"
    )


def test_clipping_is_advised_where_there_is_none():
    assert describe_divergence("training", math.nan, 7, 0.5, "fp32", 0).endswith(
        "lengthen training.warmup or set training.grad_clip (now off)"
    )
