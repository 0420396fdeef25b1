"""What `auto` becomes, against numbers worked out by hand."""

import json

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.power_laws import batch_rows, weight_decay
from gptgrid.trainer.trainer import Trainer

AUTO = {"steps": None, "tokens": 3000, "batch_tokens": "auto", "weight_decay": "auto"}


@pytest.mark.parametrize(
    ("tokens", "tokens_per_row", "expected"),
    [
        (10**6, 128, 12),  # 0.58 · 10^3.426 = 1546.8, of which 12.08 windows
        (10**9, 1024, 78),  # 0.58 · 10^5.139 = 79,877: 78.005
        (10**6, 100.5, 15),  # documents: 15.39
        (10, 16, 1),  # at least one window
    ],
)
def test_batch_rows(tokens, tokens_per_row, expected):
    assert batch_rows(tokens, tokens_per_row) == expected


def test_weight_decay():
    """100 tokens a parameter: a span of 1.084 / 100^0.527 = 0.0957 of 10,000 steps, at a rate of 0.001."""
    assert weight_decay(1e-3, 10**4, 10**7, 10**5) == pytest.approx(1.0446, rel=1e-4)


def test_facts_and_config_state_the_numbers(make_job):
    trainer = Trainer(Pretraining(make_job(training=AUTO)))
    trainer.run()
    facts = deliver(trainer)
    # 0.58 · 3000^0.571 = 56.1, of which 3.5 windows of 16.
    assert facts["batch_tokens"] == 64 and facts["steps"] == 47
    share = 1.084 * (47 * 64 / facts["parameters"]) ** -0.527
    assert facts["weight_decay"] == pytest.approx(1 / (1e-3 * 47 * share))
    recipe = json.loads((trainer.job.folder / "config.json").read_text())["training"]
    assert (recipe["batch_tokens"], recipe["weight_decay"]) == (64, facts["weight_decay"])


def test_an_automatic_batch_is_continued_with_its_number(train):
    parent = train("parent", training=AUTO)
    number = {**AUTO, "tokens": 4000, "batch_tokens": 64}
    assert train("child", training=number, parent=parent)
    with pytest.raises(UserError, match=r"training.batch_tokens: 64 → 80"):
        train("other", training={**number, "batch_tokens": 80}, parent=parent)
