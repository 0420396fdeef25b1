"""A longer training goes on from the finished state of a shorter one."""

import signal

import pytest
import torch
from safetensors.torch import load_file

from gptgrid.artifact.errors import UserError
from gptgrid.stages.train import checkpoint
from gptgrid.stages.train.trainer import Trainer

CONSTANT = {"schedule": "constant", "warmup": 3, "use": "last", "min_lr": 1e-3}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_equals_one_long_run_where_the_schedules_agree(optimizer, train):
    """The data order and the moments go on: a constant schedule cannot tell where the parent ended."""
    model, recipe = {"dropout": 0.1}, {**CONSTANT, "optimizer": optimizer}
    parent = train("parent", model=model, training={**recipe, "steps": 10})
    child = train("child", model=model, training={**recipe, "steps": 25}, parent=parent)
    straight = train("straight", model=model, training={**recipe, "steps": 25})
    assert (child / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()
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
    kept = load_file(child / "model.safetensors")
    assert all(torch.equal(kept[name], average) for name, average in after["average"].items())


def test_the_best_weights_may_be_the_parents(train):
    parent = train("parent", training={"lr": 1e-2, "steps": 40})
    child = train("child", training={"lr": 1.0, "steps": 44, "schedule": "constant"}, parent=parent)
    assert (parent / "model.safetensors").read_bytes() == (child / "model.safetensors").read_bytes()


def test_a_killed_child_continues_to_the_same_bytes(train, make_job, same_files):
    parent = train("parent", training={"steps": 10})
    straight = train("straight", training={"steps": 20}, parent=parent)
    trainer = Trainer(make_job("broken", training={"steps": 20}, parent=parent))
    trainer.interrupts.received = signal.SIGTERM
    with pytest.raises(SystemExit):
        trainer.run()
    same_files(straight, train("broken", training={"steps": 20}, parent=parent))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": {"steps": 10}}, r"budget of 10 steps, but .* already made 10"),
        ({"training": {"steps": 20, "batch_tokens": 32}}, r"training.batch_tokens: 64 → 32"),
        ({"training": {"steps": 20, "windows": "random"}}, r"training.windows: permuted → random"),
        ({"training": {"steps": 20}, "model": {"n_layer": 3}}, r"model.n_layer: 2 → 3"),
    ],
)
def test_what_a_continuation_may_not_change(change, message, train, make_job):
    parent = train("parent", training={"steps": 10})
    with pytest.raises(UserError, match=message):
        train("child", parent=parent, **change)
