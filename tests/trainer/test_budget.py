"""A budget makes the steps that it asks for, and where it cannot, that is said."""

from types import SimpleNamespace

import numpy as np
import pytest

from gptgrid.stages.train.windows import Windows
from gptgrid.tokens.shards import Shards
from gptgrid.trainer.budget import remarks, total_steps

EOT = 99


def lay_out(text, rows=4, kind="permuted", context=10, **budget):
    """Return a recipe and its batches."""
    training = SimpleNamespace(
        **{"steps": None, "tokens": None, "epochs": None, "windows": kind, "stride": None, **budget},
        batch_tokens=rows * context,
    )
    return training, Windows(Shards([np.asarray(text)]), training, context, 1, EOT)


@pytest.mark.parametrize(
    ("budget", "rows", "steps"),
    [
        ({"steps": 7}, 4, 7),
        ({"tokens": 80}, 4, 2),
        ({"tokens": 81}, 4, 3),
        ({"epochs": 1.0}, 4, 8),
        ({"epochs": 0.1}, 3, 1),  # 0.1 · 30 in floating point is above 3
        ({"epochs": 0.001}, 4, 1),
    ],
)
def test_budgets_round_up_to_whole_steps(budget, rows, steps):
    """30 windows of 10 tokens."""
    assert total_steps(*lay_out(np.arange(301) % 90, rows, **budget)) == steps


def documents(*lengths):
    return np.concatenate([[EOT, *range(length - 1)] for length in lengths] + [[EOT]])


def test_documents_are_counted_without_their_padding():
    text = documents(*[3] * 20)
    assert total_steps(*lay_out(text, kind="document", tokens=120)) == 10
    assert total_steps(*lay_out(text, kind="document", epochs=2)) == 10


def said(*arguments, **values):
    training, windows = lay_out(*arguments, **values)
    return remarks(training, windows, total_steps(training, windows))


def test_nothing_is_said_where_the_budget_is_kept():
    text = np.arange(301) % 90
    for budget in ({"steps": 100}, {"tokens": 1000}, {"epochs": 2}):
        assert said(text, **budget) == []
        assert said(documents(*[6] * 50), kind="document", **budget) == []


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({"tokens": 10}, "`tokens: 10` becomes 40 in 1 whole step"),
        ({"tokens": 60}, "`tokens: 60` becomes 80 in 2 whole steps"),
        ({"epochs": 0.001}, "`epochs: 0.001` becomes 0.1333 in 1 whole step"),
    ],
)
def test_a_training_that_is_longer_than_asked_is_said(budget, expected):
    (remark,) = said(np.arange(301) % 90, **budget)
    assert expected in remark and "smaller batch_tokens" in remark


def test_a_batch_that_repeats_the_text_is_said():
    (remark,) = said(np.arange(301) % 90, rows=31, steps=2)
    assert "a batch has 31 windows, but the training split only 30" in remark
    assert "at most 300" in remark
    assert said(np.arange(301) % 90, rows=30, steps=2) == []
    (remark,) = said(documents(*[9] * 5), rows=6, kind="document", steps=2)
    assert "a batch has 6 documents, but the training split only 5" in remark


def test_documents_that_are_cut_are_said():
    (remark,) = said(documents(*[100] * 9), kind="document", steps=2)
    assert "cuts documents to the context of 10: an epoch trains on 90 of the 901 tokens" in remark
