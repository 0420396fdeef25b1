"""Learning rates against transformers' schedules and closed formulas."""

from types import SimpleNamespace
from typing import get_args

import pytest
import torch

from gptgrid.config.training import Training
from gptgrid.trainer.schedule import SCHEDULES, learning_rate


def recipe(**values):
    defaults = {"lr": 1e-3, "min_lr": 1e-4, "schedule": "cosine", "warmup": 10, "cooldown": 0.2}
    return SimpleNamespace(**{**defaults, **values})


def rates(steps=100, **values):
    return [learning_rate(recipe(**values), step, steps) for step in range(steps)]


def reference(make, steps=100, **values):
    """Return the learning rates that a scheduler of transformers gives."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    scheduler = make(optimizer, **values)
    learning_rates = []
    for _ in range(steps):
        learning_rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return learning_rates


def test_cosine_and_linear_equal_transformers():
    optimization = pytest.importorskip("transformers.optimization")
    cosine = reference(
        optimization.get_cosine_schedule_with_warmup, num_warmup_steps=10, num_training_steps=100
    )
    assert rates(min_lr=0)[10:] == pytest.approx(cosine[10:])
    floor = reference(
        optimization.get_cosine_with_min_lr_schedule_with_warmup,
        num_warmup_steps=10,
        num_training_steps=100,
        min_lr=1e-4,
    )
    assert rates()[10:] == pytest.approx(floor[10:])
    linear = reference(
        optimization.get_linear_schedule_with_warmup, num_warmup_steps=10, num_training_steps=100
    )
    assert rates(schedule="linear", min_lr=0)[10:] == pytest.approx(linear[10:])


def test_wsd_stays_and_falls_in_a_line():
    learning_rates = rates(schedule="wsd", min_lr=0)
    assert learning_rates[10:81] == [1e-3] * 71
    assert learning_rates[80:] == pytest.approx([1e-3 * (100 - step) / 20 for step in range(80, 100)])


def test_constant_stays_after_the_warmup():
    assert rates(schedule="constant")[10:] == [1e-3] * 90


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "wsd"])
def test_warmup_rises_evenly_from_above_zero(schedule):
    learning_rates = rates(schedule=schedule)
    assert learning_rates[:11] == pytest.approx([1e-3 * (step + 1) / 11 for step in range(11)])
    assert min(learning_rates) >= 1e-3 / 11


def test_warmup_below_one_is_a_share():
    assert rates(warmup=0.1) == rates(warmup=10)
    assert rates(warmup=0)[0] == 1e-3


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "wsd"])
@pytest.mark.parametrize("warmup", [0, 0.05, 3, 500])
def test_short_runs_have_positive_rates(schedule, warmup):
    for steps in (1, 2, 3):
        assert all(0 < rate <= 1e-3 for rate in rates(steps, schedule=schedule, warmup=warmup))


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "wsd"])
@pytest.mark.parametrize("warmup", [0, 10, 100, 500])
def test_there_is_no_rate_outside_of_the_training(schedule, warmup):
    training = recipe(schedule=schedule, warmup=warmup)
    assert 0 < learning_rate(training, 100, 100) <= 1e-3  # where the fall ends
    for step in (-1, 101):
        with pytest.raises(ValueError, match=f"step {step} lies outside of a training of 100 steps"):
            learning_rate(training, step, 100)


def test_every_schedule_of_the_configuration_is_there():
    assert set(SCHEDULES) == set(get_args(Training.model_fields["schedule"].annotation))
