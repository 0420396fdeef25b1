"""A training that is too short for its recipe says so."""

from fractions import Fraction

import pytest

from gptgrid.artifact.identity import namespace
from gptgrid.config.training import Training
from gptgrid.trainer.intervals import is_due, remarks_on_steps, times_due
from gptgrid.trainer.schedule import learning_rate


def said(steps: int, **values: object) -> list[str]:
    return remarks_on_steps(namespace(Training(steps=steps, **values).complete()), steps, Fraction(60))


@pytest.mark.parametrize(
    ("every", "steps_per_epoch", "expected"),
    [
        (5, Fraction(1), [5, 10, 15]),
        ("epoch", Fraction(5), [5, 10, 15]),
        ("epoch", Fraction(7, 2), [4, 7, 11, 14]),
        ("epoch", Fraction(2, 3), [*range(1, 17)]),
        ("epoch", Fraction(40), []),
        ("doubling", Fraction(5), [1, 2, 4, 8, 16]),
    ],
)
def test_what_is_due_when(every: int | str, steps_per_epoch: Fraction, expected: list[int]) -> None:
    assert [step for step in range(1, 17) if is_due(every, step, steps_per_epoch)] == expected
    assert times_due(every, 16, steps_per_epoch) == len(expected)


@pytest.mark.parametrize(
    ("steps", "values"),
    [
        (10, {}),
        (100, {"warmup": 99, "eval_every": 100, "sample_every": 100, "schedule": "wsd"}),
        (100, {"eval_every": 10, "patience": 8}),
        (100, {"eval_every": "epoch"}),
        (2000, {"warmup": 0.999}),
    ],
)
def test_nothing_is_said_of_what_comes_to_pass(steps: int, values: dict) -> None:
    assert said(steps, **values) == []


@pytest.mark.parametrize(
    ("steps", "values", "expected"),
    [
        (1, {}, "the training makes 1 step: hardly any; "),
        (6, {}, "the training makes 6 steps: hardly any; "),
        (50, {"warmup": 99}, "`warmup: 99` is not over after 50 steps: the learning rate gets to 0.0005, not to 0.001"),
        (50, {"warmup": 50}, "`warmup: 50` is not over after 50 steps"),
        (50, {"eval_every": 51}, "`eval_every: 51` is more than 50 steps: it is validated at the end alone"),
        (50, {"sample_every": 51}, "`sample_every: 51` is more than 50 steps: it is sampled at the end alone"),
        (100, {"patience": 9}, "`patience: 9` never stops a training with 10 validations"),
        (50, {"sample_every": "epoch"}, "`sample_every: epoch` is more than 50 steps: it is sampled at the end alone"),
        (100, {"patience": 1, "eval_every": "epoch"}, "`patience: 1` never stops a training with 2 validations"),
        (100, {"patience": 1, "eval_every": 50}, "`patience: 1` never stops a training with 2 validations"),
    ],
)  # fmt: skip
def test_what_does_not_come_to_pass_is_said(steps: int, values: dict, expected: str) -> None:
    (remark,) = said(steps, **values)
    assert remark.startswith(expected)


def test_the_rate_that_an_unfinished_warmup_gets_to_is_that_of_the_last_step() -> None:
    training = namespace(Training(steps=50, warmup=99).complete())
    assert learning_rate(training, 49, 50) == pytest.approx(0.0005)
