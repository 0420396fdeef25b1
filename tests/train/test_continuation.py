"""A longer training goes on from the finished state of a shorter one."""

import signal

import pytest
import torch

from gptgrid.stage import UserError
from gptgrid.train.trainer import Trainer

CONSTANT = {"schedule": "constant", "warmup": 3, "use": "last", "min_lr": 1e-3}


def test_equals_one_long_run_where_the_schedules_agree(train):
    """The data order and the moments go on: a constant schedule cannot tell where the parent ended."""
    model = {"dropout": 0.1}
    parent = train("parent", model=model, training={**CONSTANT, "steps": 10})
    child = train("child", model=model, training={**CONSTANT, "steps": 25}, parent=parent)
    straight = train("straight", model=model, training={**CONSTANT, "steps": 25})
    assert (child / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()
    rows = (parent / "metrics.csv").read_text().splitlines()
    assert (child / "metrics.csv").read_text().splitlines()[: len(rows)] == rows


@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd"])
def test_the_schedule_is_the_childs_own(schedule, train, capsys):
    recipe = {"schedule": schedule, "warmup": 0, "lr": 1e-3, "min_lr": 0}
    parent = train("parent", training={**recipe, "steps": 10})
    capsys.readouterr()
    child = train("child", training={**recipe, "steps": 20, "weight_decay": 0.0}, parent=parent)
    said = capsys.readouterr().out
    assert f"continues its parent at step 10; {schedule} schedule over 20 steps in all" in said
    rates = [float(line.split(",")[3]) for line in (child / "metrics.csv").read_text().splitlines()[1:]]
    assert len(rates) == 20 and rates[10] > rates[9]
    assert torch.load(child / "state.pt", weights_only=True)["step"] == 20


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
