"""Each setting leaves the tokens, and gives them the probabilities, that transformers does."""

import re

import numpy as np
import pytest
import torch
import transformers
from scipy.stats import chisquare

from gptgrid.artifact.errors import UserError
from gptgrid.config.experiment import Decoding as Settings
from gptgrid.model.decoding import (
    SPAN,
    Decoding,
    History,
    adjust,
    choose,
    draw,
    place_of_sum,
    probabilities,
)

VOCAB, EOT = 40, 39
LOGITS = 2 * torch.randn(3, VOCAB, generator=torch.Generator().manual_seed(0))
TEXTS = [[1, 2, 3, 1, 2], [5, 5, 5, 5, 7], [8, 9, 8, 9, 8]]


def processors(decoding: Decoding) -> transformers.LogitsProcessorList:
    """Return those of transformers, in the order in which its `generate` has them."""
    made = []
    if decoding.repetition_penalty != 1:
        made.append(transformers.RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty))
    if decoding.no_repeat_ngram:
        made.append(transformers.NoRepeatNGramLogitsProcessor(decoding.no_repeat_ngram))
    if decoding.temperature:
        made.append(transformers.TemperatureLogitsWarper(float(decoding.temperature)))
    if decoding.top_k:
        made.append(transformers.TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1:
        made.append(transformers.TopPLogitsWarper(decoding.top_p))
    if decoding.min_p:
        made.append(transformers.MinPLogitsWarper(decoding.min_p))
    return transformers.LogitsProcessorList(made)


def adjusted(logits: np.ndarray, decoding: Decoding, text: list[int]) -> np.ndarray:
    """Return what a token is drawn by after a text."""
    return probabilities(adjust(logits, decoding, History(decoding, text, {EOT})), decoding)


ALONE = [
    {"temperature": 0.5},
    {"temperature": 3.0},
    *({"top_k": count} for count in (1, 5, VOCAB, 99)),
    *({"top_p": part} for part in (0.01, 0.3, 0.7, 0.999)),
    *({"min_p": part} for part in (0.001, 0.1, 0.5)),
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 0.5},
    *({"no_repeat_ngram": length} for length in (1, 2, 3, 4, 9)),
]
TOGETHER = [
    {"temperature": 0.7, "top_k": 9, "top_p": 0.8},
    {"temperature": 1.5, "top_k": 20, "min_p": 0.05, "no_repeat_ngram": 2},
    {"temperature": 1.2, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.3},
    {
        "temperature": 2,
        "top_k": 30,
        "top_p": 0.95,
        "min_p": 0.1,
        "repetition_penalty": 2.0,
        "no_repeat_ngram": 3,
    },
]


@pytest.mark.parametrize("settings", [{}, *ALONE, *TOGETHER], ids=str)
def test_probabilities_are_those_of_transformers(settings: dict) -> None:
    decoding = Decoding(**settings)
    expected = processors(decoding)(torch.tensor(TEXTS), LOGITS.double()).softmax(-1)
    for text, row, wanted in zip(TEXTS, LOGITS.double().numpy(), expected.numpy(), strict=True):
        chances = adjusted(row, decoding, text)
        np.testing.assert_allclose(chances / chances.sum(), wanted, rtol=1e-9, atol=1e-12)
        assert ((chances > 0) == (wanted > 0)).all()


@pytest.mark.parametrize("settings", [{}, *TOGETHER], ids=str)
def test_draws_are_distributed_as_the_probabilities(settings: dict) -> None:
    decoding, draws = Decoding(**settings), 4000
    histories = [History(decoding, text, {EOT}) for text in TEXTS]
    rows = [adjusted(*pair) for pair in zip(LOGITS.numpy(), [decoding] * 3, TEXTS, strict=True)]
    generators = [torch.Generator().manual_seed(seed) for seed in range(3)]
    chosen = np.array([choose(LOGITS, decoding, histories, generators) for _ in range(draws)]).T
    for found, row in zip(chosen, rows, strict=True):
        counts = np.bincount(found, minlength=VOCAB)
        assert not counts[row == 0].any()
        often = row / row.sum() * draws > 5
        expected = np.append(row[often], row[~often].sum()) / row.sum() * draws
        observed = np.append(counts[often], counts[~often].sum())
        some = expected > 0
        assert some.sum() == 1 or chisquare(observed[some], expected[some]).pvalue > 1e-3


@pytest.mark.parametrize(("point", "expected"), [(0.0, 1), (0.2499, 1), (0.25, 3), (1 - 2**-53, 3)])
def test_no_token_without_probability_is_drawn_at_the_edges(point: float, expected: int) -> None:
    assert draw(np.array([0.0, 0.25, 0.0, 0.75, 0.0]), point) == expected


@pytest.mark.parametrize("size", [1, 2, SPAN - 1, SPAN, SPAN + 1, 5 * SPAN + 3])
def test_a_place_is_found_where_one_sum_after_the_other_finds_it(size: int) -> None:
    """Whole numbers, so that no sum is rounded; half of them are 0."""
    values = np.random.default_rng(size).integers(0, 4, size) * (np.arange(size) % 2.0)
    sums = values.cumsum()
    for amount in [*np.unique(sums), -1.0, 0.5, sums[-1] - 0.5, sums[-1] + 1]:
        for side in ("left", "right"):
            assert place_of_sum(values, amount, side) == min(np.searchsorted(sums, amount, side), size - 1)


def test_no_token_without_probability_is_drawn_where_sums_are_rounded() -> None:
    chances = np.random.default_rng(0).random(3 * SPAN)
    chances[SPAN // 2 : SPAN] = chances[2 * SPAN + 5 :] = 0
    before = chances[:SPAN].sum() / chances.sum()
    points = [before + step * 2.0**-54 for step in range(-64, 64)] + [
        1 - 2.0**-step for step in range(40, 54)
    ]
    assert all(chances[draw(chances, point)] > 0 for point in points)


def test_settings_leave_the_logits_as_they_are() -> None:
    decoding, given = Decoding(repetition_penalty=2.0, no_repeat_ngram=1), LOGITS.clone()
    choose(given, decoding, [History(decoding, text, {EOT}) for text in TEXTS], [torch.Generator()] * 3)
    assert torch.equal(given, LOGITS)


def test_of_equal_tokens_the_first_ones_stay() -> None:
    scores = np.array([0.0, 1, 1, 0, 1, 1])
    assert np.flatnonzero(probabilities(scores, Decoding(top_k=3))).tolist() == [1, 2, 4]
    assert np.flatnonzero(probabilities(np.zeros(8), Decoding(top_p=0.3))).tolist() == [0, 1, 2]
    flat, generator = torch.zeros(1, 8), torch.Generator()
    assert choose(flat, Decoding(temperature=0), [History(Decoding(), [], set())], [generator]) == [0]


def test_the_end_of_text_is_no_text() -> None:
    decoding = Decoding(repetition_penalty=5.0, no_repeat_ngram=1)
    scores = adjust(np.ones(VOCAB), decoding, History(decoding, [EOT, 3, EOT], {EOT}))
    assert scores[EOT] == 1
    assert scores[3] == -np.inf


def test_a_ban_on_all_tokens_bans_none() -> None:
    decoding = Decoding(no_repeat_ngram=1)
    scores = adjust(np.zeros(4), decoding, History(decoding, range(4), set()))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("temperature", value) for value in (-1.0, float("nan"), float("inf"))),
        *(("top_p", value) for value in (float("nan"), 0.0, 1.1)),
        *(("min_p", value) for value in (float("nan"), -0.1, 1.1)),
        *(("repetition_penalty", value) for value in (float("nan"), float("inf"), 0.0)),
        *(("length_penalty", value) for value in (float("nan"), -11, 11)),
        ("top_k", -1),
        ("no_repeat_ngram", -1),
        ("beams", 0),
        ("beams", 257),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{setting} is {value}; "):
        Decoding(**{setting: value}).check()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("top_k", 2.5), ("beams", True), ("temperature", "1"), ("min_p", None), ("stop", "a"), ("stop", (1,))],
)
def test_settings_of_another_type_are_refused(setting: str, value: object) -> None:
    with pytest.raises(UserError, match=re.escape(f"{setting} is {value!r}; expected ")):
        Decoding(**{setting: value}).check()


def test_numbers_of_numpy_are_settings() -> None:
    Decoding(temperature=1, top_k=np.int64(3), top_p=np.float32(0.5)).check()


def test_an_empty_stop_text_is_refused() -> None:
    with pytest.raises(UserError, match=r"stop is .*; an empty text would stop at once"):
        Decoding(stop=("a", "")).check()


def test_the_configuration_has_the_same_keys_and_defaults() -> None:
    assert Decoding(**{**Settings().model_dump(), "stop": ()}) == Decoding()
    Decoding(**Settings().slice()).check()
