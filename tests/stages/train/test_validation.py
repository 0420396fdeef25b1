"""The validation loss is that of the split, or of some whole documents of it, each token scored once."""

import numpy as np
import pytest
import torch
from cells import write_splits

from gptgrid.artifact.errors import UserError
from gptgrid.model.score import score
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.stages.train.validation import TextValidation
from gptgrid.tokens.codec import BytesCodec, IdsCodec
from gptgrid.tokens.document_table import open_scored_text
from gptgrid.trainer.ranks import Ranks
from gptgrid.trainer.trainer import Trainer

TEXTS = [f"{number} {'word ' * (number % 4)}" for number in range(30)]


@pytest.fixture
def validation(tmp_path):
    """Return a function that gives the validation of a part of some documents."""

    def make(texts, eval_bytes=None, codec=None, by_document=False):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        write_splits(folder, codec or BytesCodec(), valid=texts)
        text = open_scored_text(folder, "valid", {}, eval_bytes, "training.eval_bytes")
        return TextValidation(text, by_document, 16, Ranks())

    return make


def test_whole_documents_are_scored_as_asked(validation):
    assert validation(TEXTS).targets == sum(map(len, TEXTS)) + 29
    part = validation(TEXTS, 40)
    numbers = part.text.numbers.tolist()
    ids = [token for number in numbers for token in (256, *TEXTS[number].encode())]
    assert part.tokens[:].tolist() == ids and part.targets == len(ids) - 1
    assert part.text.totals["bytes"] == sum(len(TEXTS[number]) for number in numbers)
    assert 40 <= part.text.totals["bytes"] < 40 + max(map(len, TEXTS))
    assert numbers == sorted(numbers) != list(range(len(numbers)))
    assert validation(TEXTS, 10**6).targets == validation(TEXTS).targets


def test_equals_the_disjoint_windows_of_an_evaluation(make_job):
    for windows in ("permuted", "document"):
        for limit in (None, 200):
            training = {"eval_bytes": limit, "micro_batch": 3, "windows": windows}
            trainer = Trainer(Pretraining(make_job(windows + str(limit), training=training)))
            validation, learner = trainer.validation, trainer.learner
            starts = validation.text.documents.starts if windows == "document" else np.zeros(1, np.int64)
            nats = score(learner.module, validation.tokens, 16, stride=16, batch_rows=3, starts=starts).nats
            assert validation.loss(learner) == pytest.approx(nats.mean(), rel=1e-6)
            size = validation.text.totals["bytes"]
            expected = nats.sum() / np.log(2) / size
            assert validation.bits_per_byte(validation.loss(learner)) == pytest.approx(expected, rel=1e-6)
            assert (limit or 200) <= size and (limit is None) == (size > 300)


def test_a_training_by_documents_is_validated_by_documents(make_job):
    running = Trainer(Pretraining(make_job("running", training={"eval_bytes": None})))
    documents = Trainer(
        Pretraining(make_job("documents", training={"eval_bytes": None, "windows": "document"}))
    )
    assert running.validation.targets == documents.validation.targets
    losses = [trainer.validation.loss(running.learner) for trainer in (running, documents)]
    assert abs(losses[0] - losses[1]) > 1e-5


def test_an_easy_beginning_does_not_stand_for_a_hard_rest(make_job, corpus):
    """Of a model that knows one half of the text, a part says about what the whole says."""
    easy, hard = ["a" * 30] * 200, ["q" * 30] * 200
    write_splits(corpus["shards"].with_name("new"), BytesCodec(), train=["abc " * 20] * 9, valid=easy + hard)
    corpus["shards"] = corpus["shards"].with_name("new")
    losses = []
    for limit in (None, 3000):
        trainer = Trainer(
            Pretraining(make_job(str(limit), training={"eval_bytes": limit, "steps": 60, "lr": 1e-2}))
        )
        trainer.run()
        losses.append(trainer.validation.loss(trainer.learner))
        share = (trainer.validation.text.numbers < 200).mean()
        assert 0.35 < share < 0.65
    assert losses[1] == pytest.approx(losses[0], rel=0.2)


def test_the_logits_of_a_validation_are_fp32_whatever_the_blocks_compute_in(make_job):
    trainer = Trainer(Pretraining(make_job(training={"precision": "bf16_weights"})))
    module = trainer.learner.module
    ids = torch.from_numpy(trainer.recipe.batches[0][0][:1]).to(trainer.device)
    with trainer.learner.evaluating():
        logits = module(ids)
        assert logits.dtype == torch.float32 and not torch.equal(logits, logits.bfloat16().float())
    assert module(ids).dtype == torch.bfloat16


def test_a_digest_names_the_tokens_that_are_scored(validation):
    digest = validation(TEXTS, 40).digest
    assert digest == validation(TEXTS, 40).digest == validation(TEXTS, 41).digest
    assert digest != validation(TEXTS, 80).digest
    assert digest != validation([text.upper() for text in TEXTS], 40).digest


def test_a_split_without_two_tokens_is_refused(validation):
    with pytest.raises(UserError, match="valid split has 1 tokens"):
        validation([""])


def test_a_part_of_bare_ids_is_refused(validation):
    with pytest.raises(UserError, match=r"training.eval_bytes is 9, but this corpus brings bare ids.* leave"):
        validation([[1, 2], [3]], 9, IdsCodec(10))
    assert validation([[1, 2], [3]], None, IdsCodec(10)).targets == 2
