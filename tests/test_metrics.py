"""Figures follow from nats and counts by hand."""

import math

import pytest
from scipy.special import ndtri
from scipy.stats import binomtest

from gptgrid.metrics import DENOMINATORS, bits_per_byte, figures, wilson


def test_by_hand():
    values = figures(
        nats=12 * math.log(2), tokens=6, text_bytes=8, words=4, newlines=2, characters=5, right=3
    )
    assert values == pytest.approx(
        {
            "test_loss": 2 * math.log(2),
            "perplexity": 4.0,
            "accuracy": 0.5,
            "bpb": 1.5,
            "bpc": 2.4,
            "word_perplexity": 8.0,
            "word_perplexity_newlines": 4.0,
        }
    )


def test_bits_per_byte():
    assert bits_per_byte(12 * math.log(2), 8) == pytest.approx(1.5)
    assert bits_per_byte(None, 8) is bits_per_byte(1.0, None) is bits_per_byte(1.0, 0) is None


def test_every_figure_names_its_denominator():
    assert figures(1.0, 1, 1, 1, 1).keys() == DENOMINATORS.keys()


def test_bare_ids_have_figures_per_token_only():
    values = figures(nats=3.0, tokens=3, text_bytes=None, words=None, newlines=None)
    assert values["perplexity"] == pytest.approx(math.e)
    assert [values[key] for key in ("bpb", "bpc", "word_perplexity", "word_perplexity_newlines")] == [
        None
    ] * 4


def test_without_nats_there_is_no_figure():
    """The weights gave no probabilities, so that no token was the likeliest."""
    assert {*figures(None, 3, 3, 3, 3, characters=3, right=0).values()} == {None}


def test_what_json_cannot_hold_is_none():
    values = figures(nats=7200.0, tokens=1000, text_bytes=3000, words=10, newlines=2)
    assert values["word_perplexity"] is None  # exp(720)
    assert values["word_perplexity_newlines"] == pytest.approx(math.exp(600))


def test_a_text_without_words_has_no_word_perplexity():
    values = figures(nats=2.0, tokens=2, text_bytes=2, words=0, newlines=2)
    assert values["word_perplexity"] is None
    assert values["word_perplexity_newlines"] == pytest.approx(math.e)


@pytest.mark.parametrize(("right", "items"), [(0, 3), (1, 7), (10, 10), (95, 200)])
def test_wilsons_interval_is_that_of_scipy(right, items):
    expected = binomtest(right, items).proportion_ci(method="wilson")
    assert wilson(right / items, items, ndtri(0.975)) == pytest.approx((expected.low, expected.high))
