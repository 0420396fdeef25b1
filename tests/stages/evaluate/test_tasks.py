"""The right answer is the likeliest one, as a slow loop over single texts says, however long they are."""

import json
import math

import numpy as np
import pytest
import torch
from cells import tiny, uniform
from scipy.stats import binomtest
from torch import nn
from torch.nn import functional

from gptgrid.artifact.errors import UserError
from gptgrid.stages.evaluate import tasks
from gptgrid.stages.evaluate.likelihood import likelihoods, texts_of
from gptgrid.stages.evaluate.shares import share
from gptgrid.stages.evaluate.tasks import Task, ask, credit_of
from gptgrid.tokens.codec import BytesCodec

EOT = 256


class Copier(nn.Module):
    """Expects each byte that it has seen, the more the more often; it sees all of its input."""

    vocab_size = 257

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, tokens):
        return self.scale * functional.one_hot(tokens, 257).cumsum(1).float()


@pytest.fixture
def put(tmp_path):
    """Return a function: a model answers some items."""

    def answered(module, rows, kind="choice", context=64, stride=32, diverged=False):
        path = tmp_path / "items.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return ask(module, BytesCodec(), Task("mine", kind, path), context, stride, diverged)

    return answered


def item(prompt, answer, *wrong, **more):
    return {"prompt": prompt, "answer": answer, "wrong": list(wrong), **more}


def slow(module, texts, context, stride):
    """Score one text at a time, token by token."""
    nats, greedy = [], []
    for ids, counted in texts:
        total, likeliest = 0.0, True
        for place in range(counted, len(ids)):
            # In which window an overlapping scheme predicts a token: the first that reaches it.
            window = 0
            while window + context < place:
                window += stride
            logits = (
                module(torch.tensor([[int(token) for token in ids[window:place]]]))[0, -1].detach().double()
            )
            total -= float(torch.log_softmax(logits, 0)[ids[place]])
            likeliest &= int(logits.argmax()) == ids[place]
        nats.append(total)
        greedy.append(likeliest)
    return nats, greedy


@pytest.mark.parametrize(("context", "stride"), [(4, 2), (6, 1), (7, 7), (50, 25)])
@pytest.mark.parametrize("most", [1, 60, 4096])
def test_nats_are_those_of_one_text_at_a_time(monkeypatch, context, stride, most):
    monkeypatch.setattr("gptgrid.model.score.BATCH_TOKENS", most)
    one = [[EOT, *b"abcabcab", *end] for end in (b"c", b"cx", b"dxyzabcde")]
    other = [[EOT, *b"ab" * 9, *end] for end in (b"a", b"b")]
    for module in (Copier(), tiny(257, context=64)):
        texts = [
            *texts_of(one, one[0][:9], context, stride),
            *texts_of(other, other[0][:19], context, stride),
        ]
        nats, greedy = likelihoods(module, texts, context, stride)
        expected, likeliest = slow(module, texts, context, stride)
        assert np.allclose(nats, expected, rtol=1e-5)
        assert greedy.tolist() == likeliest


def test_no_bit_depends_on_threads(monkeypatch):
    monkeypatch.setattr("gptgrid.model.score.BATCH_TOKENS", 100)
    module, random = tiny(257, context=64), np.random.default_rng(1)
    tokens = [[EOT, *random.integers(0, 256, 2 + number % 60)] for number in range(200)]
    texts = [text for ids in tokens for text in texts_of([ids], ids[:1], 64, 32)]
    alone, together = (likelihoods(module, texts, 64, 32, threads) for threads in (1, 4))
    assert np.array_equal(alone[0], together[0]) and np.array_equal(alone[1], together[1])


def test_what_counts_begins_where_the_prompt_alone_ends():
    """A tokenizer may read the end of the prompt and the start of an answer as one token."""
    prompt, answers = [9, 1, 2], [[9, 1, 7, 4], [9, 1, 2, 5]]
    assert [text.counted for text in texts_of(answers, prompt, 64, 32)] == [2, 2]


@pytest.mark.parametrize(
    ("length", "counted", "first"),
    [
        (11, 9, 0),  # fits
        (15, 9, 4),  # the end fits with all that counts in it
        (19, 9, 8),  # just
        (20, 9, 4),  # not: then as much before it as overlapping windows see at least
        (20, 2, 0),
        (100, 50, 45),
    ],
)
def test_of_a_long_text_the_beginning_is_left_out(length, counted, first):
    ids = [[*range(length)]]
    (text,) = texts_of(ids, [*range(counted)], context=10, stride=6)
    assert (text.ids[0], text.counted) == (first, counted - first)


def test_all_answers_see_the_same_of_their_prompt():
    prompt = [*range(100)]
    short, long = texts_of([[*prompt, 200], [*prompt, 201, 202, 203]], prompt, 50, 25)
    assert short.ids[: short.counted].tolist() == long.ids[: long.counted].tolist() == prompt[52:]


def test_right_answers_are_counted(put):
    result = put(Copier(), [item("aaab Who? ", "a.", "x.", "y."), item("aaab Who? ", "z.", "a.")])
    assert (result["items"], result["accuracy"], result["chance"]) == (2, 0.5, (1 / 3 + 1 / 2) / 2)
    assert (result["ties"], result["by_group"], result["reason"]) == (0, {}, None)


def test_items_that_are_longer_than_the_context_are_counted(put):
    items = [
        item("aaab Who? ", "a.", "x."),
        item("12345678 Who? ", "a.", "x."),
        item("12345678 Who? ", "a.", "x.y"),
    ]
    # An end-of-text token, prompt and answer; the last token of a text is no input.
    assert put(Copier(), items, context=16)["longer_than_context"] == 1
    assert put(Copier(), items, context=15)["longer_than_context"] == 2
    assert put(Copier(), items)["longer_than_context"] == 0


def test_the_likelihood_per_byte_takes_no_account_of_length(put):
    result = put(uniform(257), [item("Who? ", "it was the fox", "an owl")], context=8, stride=4)
    assert (result["accuracy"], result["ties"]) == (0, 0)
    assert result["per_byte"]["accuracy"] == 0.5


def test_bytes_are_counted_not_characters(put):
    """Each byte is as likely as any other: per byte all are equal, per character the Chinese is not."""
    assert put(uniform(257), [item("", "狐狸", "fox")])["per_byte"]["accuracy"] == 0.5


def test_a_model_that_prefers_nothing_is_right_as_often_as_chance(put):
    """The right answer stands first: the first of equals is not the likeliest."""
    rows = [item("Who? ", "ab.", "cd.", "ef.")] * 4 + [item("Who? ", "ab.", "cd.")] * 4
    result = put(uniform(257), rows)
    assert np.isclose(result["accuracy"], result["chance"]) and result["ties"] == 8


def test_a_pair_of_equal_sentences_is_a_tie(put):
    result = put(Copier(), [item("", " a b.", " a b.", group="x")], "minimal-pairs")
    assert (result["accuracy"], result["ties"], "per_byte" in result) == (0.5, 1, False)


@pytest.mark.parametrize(
    ("nats", "expected"),
    [
        ([1.0, 2.0, 3.0], 1.0),
        ([2.0, 1.0, 3.0], 0.0),
        ([1.0, 1.0 + 1e-7, 3.0], 0.5),
        ([2.0, 1.0, 1.0], 0.0),
        ([0.0, 0.0, 0.0, 0.0], 0.25),
        ([math.nan, 1.0], math.nan),
        ([1.0, math.nan], math.nan),
        ([math.inf, math.inf], math.nan),
        ([1.0, math.inf], math.nan),
        ([-math.inf, 1.0], math.nan),
    ],
)
def test_credit(nats, expected):
    assert credit_of(np.array(nats)) == pytest.approx(expected, nan_ok=True)


def test_all_items_are_asked_and_groups_have_their_own_figures(put, monkeypatch):
    monkeypatch.setattr(tasks, "PORTION", 2)
    easy = item("aaab Who? ", "a.", "x.", group="easy")
    hard = item("aaab Who? ", "x.", "a.", group="hard")
    result = put(Copier(), [easy, hard, easy, hard, hard])
    assert (result["items"], result["accuracy"]) == (5, 0.4)
    assert {name: (own["items"], own["accuracy"]) for name, own in result["by_group"].items()} == {
        "easy": (2, 1),
        "hard": (3, 0),
    }


def test_a_cloze_is_right_where_greedy_decoding_gives_it(put):
    rows = [item("abcb", "bbb"), item("abcb", "bba"), item("ccb", "c")]
    result = put(Copier(), rows, "cloze")
    assert result["accuracy"] == pytest.approx(2 / 3) and result["chance"] is None
    nats = 0.0
    for row in rows:
        ids = [EOT, *(row["prompt"] + row["answer"]).encode()]
        nats += slow(Copier(), [(ids, 1 + len(row["prompt"]))], 64, 32)[0][0]
    assert result["perplexity"] == pytest.approx(math.exp(nats / 3))


@pytest.mark.parametrize("kind", ["choice", "minimal-pairs", "cloze"])
def test_no_number_is_an_error_unless_the_training_diverged(put, kind):
    module = uniform(257)
    with torch.no_grad():
        module.head.bias[5] = math.nan
    rows = [item("", "ab", *([] if kind == "cloze" else ["cd"]), group="x")]
    with pytest.raises(UserError, match="task mine: a likelihood is no number: the weights give no prob"):
        put(module, rows, kind)
    result = put(module, rows, kind, diverged=True)
    assert (result["accuracy"], result["low"], result["by_group"]["x"]["accuracy"]) == (None, None, None)
    assert result["reason"] == "the training diverged, and its weights give no probabilities"
    json.dumps(result, allow_nan=False)


def test_an_answer_longer_than_the_context_is_judged_as_a_whole(put):
    """Its end alone would say the same of both."""
    rows = [item("fff", "fff was the fox.", "owl was the fox.")]
    assert put(Copier(), rows, context=8, stride=4)["accuracy"] == 1


@pytest.mark.parametrize(("right", "wrong"), [(60, 40), (1, 2), (2, 0), (0, 9)])
def test_an_interval_of_items_is_that_of_wilson(right, wrong):
    credits = np.array([1.0] * right + [0.0] * wrong)
    interval = binomtest(right, right + wrong).proportion_ci(0.95, "wilson")
    for groups in (None, np.zeros(len(credits), int), np.arange(len(credits))):
        found = share(credits, groups)
        assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_an_interval_does_not_shrink_to_a_point():
    found = share(np.ones(20))
    assert found["accuracy"] == found["high"] == 1 and 0.75 < found["low"] < 0.9
    assert share(np.ones(1)) == {"accuracy": 1, "low": None, "high": None}
    several = share(np.ones(2000), np.repeat(np.arange(20), 100))
    # A hundred items that agree tell what one of them tells, and how unlike groups are is not known.
    assert several["accuracy"] == several["high"] == 1 and 0.75 < several["low"] < found["low"]


@pytest.mark.parametrize("spread", [0.0, 0.15, 0.3])
@pytest.mark.parametrize("groups", [8, 67])
def test_intervals_cover_what_groups_are_drawn_from(spread, groups):
    random, hits = np.random.default_rng(1), []
    members = np.repeat(np.arange(groups), 30)
    for _ in range(600):
        of_group = np.clip(0.65 + spread * random.uniform(-1, 1, groups), 0, 1)
        found = share((random.random(len(members)) < of_group[members]).astype(float), members)
        hits.append(found["low"] <= 0.65 <= found["high"])
    assert 0.93 <= np.mean(hits) <= 0.985
