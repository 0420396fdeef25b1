"""The validation loss is that of all tokens, or of the first ones, each scored once."""

import numpy as np
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.train.ranks import Ranks
from gptgrid.stages.train.trainer import Trainer
from gptgrid.stages.train.validation import Validation
from gptgrid.tokens.shards import Shards


def validation(tokens, eval_tokens=None):
    return Validation(Shards([np.asarray(tokens)]), eval_tokens, Ranks(), lambda: None)


def test_the_first_tokens_are_scored_as_asked():
    assert validation(range(10)).targets == 9
    assert validation(range(10), 4).targets == 4
    assert validation(range(10), 40).targets == 9


def test_equals_the_disjoint_windows_of_an_evaluation(make_job):
    from gptgrid.model.score import score

    trainer = Trainer(make_job(training={"eval_tokens": None, "micro_batch": 3}))
    valid, learner = trainer.validation.tokens, trainer.learner
    nats = score(learner.module, valid, context=16, stride=16, batch_rows=3)
    assert trainer.validation.loss(learner) == pytest.approx(nats.mean(), rel=1e-6)
    first = Validation(valid, 50, Ranks(), lambda: None).loss(learner)
    assert first == pytest.approx(nats[:50].mean(), rel=1e-6)


def test_a_digest_names_the_tokens_that_are_scored():
    digest = validation(range(10), 4).digest
    assert digest == validation([0, 1, 2, 3, 4, 99, 98], 4).digest == validation(range(5)).digest
    assert digest != validation(range(10), 5).digest
    assert digest != validation([0, 1, 2, 3, 9], 4).digest


def test_a_split_without_two_tokens_is_refused():
    with pytest.raises(UserError, match="validation split has 1 tokens"):
        validation([1])
