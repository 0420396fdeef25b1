"""The n-gram model is Kneser-Ney's: held against definitions written out, and it is a model of probabilities."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from gptgrid.tokens import ngram
from gptgrid.tokens.ngram import LONGEST, discounts, models, predict
from gptgrid.tokens.shards import Shards

VOCABULARY = 5


def text(tokens: int, seed: int, vocab_size: int = VOCABULARY) -> np.ndarray:
    """Return tokens of which each depends on the one before it."""
    generator = np.random.default_rng(seed)
    chances = np.random.default_rng(0).dirichlet(np.full(vocab_size, 0.4), size=vocab_size)
    found = [0]
    while len(found) < tokens:
        found.append(int(generator.choice(vocab_size, p=chances[found[-1]])))
    return np.array(found)


class SlowKneserNey:
    """The formulas of Chen and Goodman (1999), section 3, over dictionaries of tuples."""

    def __init__(self, training: list[int], order: int, vocab_size: int) -> None:
        self.order, self.vocab_size = order, vocab_size
        self.counts = {}
        """Length → gram → occurrences for the longest, different tokens before it for the others."""
        for length in range(1, order + 1):
            grams = [tuple(training[i : i + length]) for i in range(len(training) - length + 1)]
            if length == order:
                self.counts[length] = Counter(grams)
            else:
                longer = {tuple(training[i : i + length + 1]) for i in range(len(training) - length)}
                self.counts[length] = Counter(gram[1:] for gram in longer)
        self.discounts = {length: self.formulas(counts.values()) for length, counts in self.counts.items()}
        self.followed = {length: defaultdict(Counter) for length in self.counts}
        for length, counts in self.counts.items():
            for gram, count in counts.items():
                self.followed[length][gram[:-1]][gram[-1]] = count

    @staticmethod
    def formulas(counts) -> tuple[float, float, float]:
        n = [0, *(sum(count == times for count in counts) for times in (1, 2, 3, 4))]
        if not all(n[1:]):
            return 0.5, 1.0, 1.5
        y = n[1] / (n[1] + 2 * n[2])
        d = (1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3])
        return d if min(d) > 0 else (0.5, 1.0, 1.5)

    def probability(self, token: int, history: tuple[int, ...]) -> float:
        if len(history) >= self.order:
            history = history[len(history) - self.order + 1 :]
        length = len(history) + 1
        lower = self.probability(token, history[1:]) if history else 1 / self.vocab_size
        followed = self.followed[length].get(history)
        if not followed:
            return lower
        total = sum(followed.values())
        taken = {other: self.discounts[length][min(count, 3) - 1] for other, count in followed.items()}
        own = followed[token] - taken[token] if token in followed else 0
        return (own + sum(taken.values()) * lower) / total


@pytest.mark.parametrize("tokens", [2, 3, 30, 400, 3000])
def test_every_order_is_what_the_formulas_say(tokens):
    training, texts = text(tokens, 1), [text(60, 2), text(2, 3), text(3, 4)]
    found = list(models(training, texts, VOCABULARY))
    assert len(found) == LONGEST
    for order in (1, 2, 3, 4, 7):
        slow = SlowKneserNey(training.tolist(), order, VOCABULARY)
        for tokens_of_text, probabilities in zip(texts, found[order - 1], strict=True):
            ids = tokens_of_text.tolist()
            by_hand = [slow.probability(ids[i], tuple(ids[:i])) for i in range(1, len(ids))]
            assert probabilities == pytest.approx(by_hand, rel=1e-12)


def test_probabilities_add_up_to_one_after_every_history():
    """Tokens that the training text has not among them."""
    training = text(500, 1)
    vocabulary = VOCABULARY + 2
    history = [1, 5, *text(20, 6).tolist()]
    for length in range(1, len(history) + 1):
        texts = [np.array([*history[:length], token]) for token in range(vocabulary)]
        for order, probabilities in enumerate(models(training, texts, vocabulary), 1):
            assert math.fsum(float(each[-1]) for each in probabilities) == pytest.approx(1, rel=1e-12), order


def test_the_first_text_chooses_the_order():
    training, valid, test = text(5000, 1), text(1000, 2), text(1000, 3)
    chosen = predict(training, [valid, test], VOCABULARY)
    sums = [[-np.log(each).sum() for each in found] for found in models(training, [valid, test], VOCABULARY)]
    assert chosen.order == int(np.argmin([valid for valid, _ in sums])) + 1 == 2
    assert [each.sum() for each in chosen.nats] == pytest.approx(sums[chosen.order - 1])
    # A text of another kind is predicted with the same order, though another would take less.
    unlike = np.random.default_rng(1).integers(VOCABULARY, size=1000)
    assert predict(training, [valid, unlike], VOCABULARY).order == 2
    assert predict(training, [unlike, valid], VOCABULARY).order == 1


def test_a_long_text_is_predicted_piece_by_piece(monkeypatch):
    training, texts = text(3000, 1, 3), [text(90, 2, 3), Shards([text(203, 3, 3), text(48, 4, 3)])]
    whole = predict(training, texts, 3)
    for at_once in (90, 100, 250):
        monkeypatch.setattr(ngram, "AT_ONCE", at_once)
        pieces = predict(training, texts, 3)
        assert pieces.order == whole.order > 1
        assert [nats.tolist() for nats in pieces.nats] == [nats.tolist() for nats in whole.nats]


@pytest.mark.parametrize("training", [[], [3], [3, 3]])
def test_next_to_no_training_text_leaves_all_tokens_possible(training):
    predicted = predict(np.array(training, dtype=np.int64), [np.array([0, 1, 3])] * 2, VOCABULARY)
    assert all(np.isfinite(nats).all() and len(nats) == 2 for nats in predicted.nats)


def test_discounts_by_hand():
    """Four grams that occur once, three twice, two three times, one four times; 0 is none at all."""
    counts = np.array([1] * 4 + [2] * 3 + [3] * 2 + [4] + [0] * 5)
    share = 4 / (4 + 6)
    assert discounts(counts) == pytest.approx(
        [0, 1 - 2 * share * 3 / 4, 2 - 3 * share * 2 / 3, 3 - 4 * share * 1 / 2]
    )
    assert discounts(np.array([1, 1, 2])).tolist() == [0, 0.5, 1, 1.5]
