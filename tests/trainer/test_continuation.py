"""A longer training goes on from the finished state of a shorter one."""

import csv
import signal

import pytest
import torch
from safetensors.torch import load_file

from gptgrid.artifact.errors import UserError
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.tokens.shards import open_shards, write_shard
from gptgrid.trainer import checkpoint
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.trainer import Trainer
from gptgrid.trainer.validation import Validation

CONSTANT = {"schedule": "constant", "warmup": 3, "min_lr": 1e-3}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("schedule", ["constant", "wsd"])
def test_equals_one_long_run_where_the_schedules_agree(schedule, optimizer, train):
    """The data order and the moments go on: one constant run serves several budgets, in each of which the rate
    falls at the end."""
    model, recipe = {"dropout": 0.1}, {**CONSTANT, "optimizer": optimizer}
    parent = train("parent", model=model, training={**recipe, "steps": 10})
    longer = {**recipe, "steps": 25, "schedule": schedule}
    child = train("child", model=model, training=longer, parent=parent)
    straight = train("straight", model=model, training=longer)
    for weights in ("model.safetensors", "last.safetensors"):
        assert (child / weights).read_bytes() == (straight / weights).read_bytes()
    rows = (parent / "metrics.csv").read_text().splitlines()
    assert (child / "metrics.csv").read_text().splitlines()[: len(rows)] == rows


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd"])
def test_the_schedule_is_the_childs_own(schedule, optimizer, train, capsys):
    recipe = {"schedule": schedule, "optimizer": optimizer, "warmup": 0, "lr": 1e-3, "min_lr": 0}
    parent = train("parent", training={**recipe, "steps": 10})
    capsys.readouterr()
    child = train("child", training={**recipe, "steps": 20, "weight_decay": 0.0}, parent=parent)
    said = capsys.readouterr().out
    assert f"continues its parent at step 10; {schedule} schedule over 20 steps in all" in said
    rates = [float(line.split(",")[3]) for line in (child / "metrics.csv").read_text().splitlines()[1:]]
    assert len(rates) == 20 and rates[10] > rates[9]
    assert torch.load(child / "state.pt", weights_only=True)["step"] == 20


def test_an_average_may_begin_in_the_child(train):
    """With the parent's last weights: of one further step, it is theirs and the step's."""
    constant = {**CONSTANT, "grad_clip": 0}
    parent = train("parent", training={**constant, "steps": 10})
    child = train("child", training={**constant, "steps": 11, "ema": 0.4}, parent=parent)
    before, after = (checkpoint.read(folder / "state.pt") for folder in (parent, child))
    assert before["average"] is None
    for name, average in after["average"].items():
        expected = 0.4 * before["model"][name] + 0.6 * after["model"][name]
        assert torch.allclose(average, expected, atol=1e-7)
    kept = load_file(child / "last.safetensors")
    assert all(torch.equal(kept[name], average) for name, average in after["average"].items())


def test_the_best_weights_may_be_the_parents(train):
    parent = train("parent", training={"lr": 1e-2, "steps": 40})
    child = train("child", training={"lr": 1.0, "steps": 44, "schedule": "constant"}, parent=parent)
    assert (parent / "model.safetensors").read_bytes() == (child / "model.safetensors").read_bytes()


def val_losses(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return {int(row["step"]): float(row["val_loss"]) for row in csv.DictReader(file) if row["val_loss"]}


@pytest.mark.parametrize("text", ["another sample", "another text"])
def test_the_parents_best_is_compared_on_what_the_child_validates(text, train, make_job, corpus):
    """A loss on other tokens is another quantity: however low, it must not stay the best for ever."""
    parent = train("parent", training={"steps": 40, "lr": 1e-2, "eval_bytes": 3})
    if text == "another text":
        tokens = open_shards(corpus["shards"], "valid")[:][::-1].copy()
        write_shard(corpus["shards"] / "valid-00000.bin", [tokens], 257)
    eval_bytes = 3 if text == "another text" else 200
    options = {"training": {"steps": 50, "lr": 1e-2, "eval_bytes": eval_bytes, "patience": 2}}
    trainer = Trainer(Pretraining(make_job("child", parent=parent, **options)))
    old, new = checkpoint.read(parent / "state.pt")["best"], trainer.progress["best"]
    assert new["step"] == old["step"] and new["loss"] != old["loss"]
    assert new["loss"] == trainer.validation.loss(trainer.learner, old["weights"])
    trainer.run()
    deliver(trainer)
    losses = val_losses(trainer.job.folder)
    # Of the parent's rows, only the best has a loss that compares with those of the child.
    assert losses.keys() <= {old["step"], 45, 50} and losses[old["step"]] == new["loss"]
    assert min(losses, key=losses.get) == trainer.progress["best"]["step"]


def test_the_same_sample_is_not_scored_again(train, make_job, monkeypatch):
    parent = train("parent", training={"steps": 10, "eval_bytes": None})
    monkeypatch.setattr(Validation, "loss", lambda *_: pytest.fail("scored"))
    # Another value, but the same tokens: those of the whole split.
    Trainer(Pretraining(make_job("child", parent=parent, training={"steps": 20, "eval_bytes": 10**6})))


def test_a_killed_child_continues_to_the_same_bytes(train, make_job, same_files):
    parent = train("parent", training={"steps": 10})
    straight = train("straight", training={"steps": 20}, parent=parent)
    trainer = Trainer(Pretraining(make_job("broken", training={"steps": 20}, parent=parent)))
    trainer.interrupts.received = signal.SIGTERM
    with pytest.raises(SystemExit):
        trainer.run()
    same_files(straight, train("broken", training={"steps": 20}, parent=parent))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": {"steps": 10}}, r"budget of 10 steps, but .* already made 10"),
        ({"training": {"steps": 20, "batch_tokens": 32}}, r"training.batch_tokens: 64 → 32"),
        ({"training": {"steps": 20, "windows": "random"}}, r"training.windows: shuffled → random"),
        ({"training": {"steps": 20}, "model": {"n_layer": 3}}, r"model.n_layer: 2 → 3"),
    ],
)
def test_what_a_continuation_may_not_change(change, message, train, make_job):
    parent = train("parent", training={"steps": 10})
    with pytest.raises(UserError, match=message):
        train("child", parent=parent, **change)


def test_seconds_and_speed_are_those_of_all_tokens(train, make_job):
    parent = train("parent", training={**CONSTANT, "steps": 10})
    (parent / "provenance.json").write_text('{"train_seconds": 1000.0, "tokens_per_second": 0.64}')
    trainer = Trainer(Pretraining(make_job("child", training={**CONSTANT, "steps": 20}, parent=parent)))
    trainer.run()
    facts, provenance = deliver(trainer), trainer.job.provenance
    assert facts["train_tokens"] == 20 * 64
    assert 1000 < provenance["train_seconds"] < 1010
    assert provenance["train_seconds"] * provenance["tokens_per_second"] == pytest.approx(20 * 64)
