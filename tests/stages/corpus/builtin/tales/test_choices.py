"""Probabilities of documents: they sum to one, no two ways lead to one text, and draws agree with them."""

from collections import Counter
from fractions import Fraction

import pytest
from scipy.stats import chisquare

from gptgrid.seeds import derive
from gptgrid.stages.corpus.builtin.tales.choices import Chooser, Drawing, Walking, walk
from gptgrid.stages.corpus.builtin.tales.generate import tale


class Narrow(Chooser):
    """Keeps only the first options of each decision: a sub-grammar, through the same mechanism."""

    options: dict[str, int] = {}  # noqa: RUF012

    def choose(self, name, options, weights, fits=None):
        keep = self.options.get(name, 1)
        return super().choose(name, options[:keep], weights[:keep], fits)


class NarrowDrawing(Narrow, Drawing):
    pass


class NarrowWalking(Narrow, Walking):
    pass


class Window(Walking):
    """Leaves only some decisions free, counted from the beginning; the others take their first option."""

    def __init__(self, free):
        super().__init__()
        self.free = free

    def choose(self, name, options, weights, fits=None):
        keep = len(options) if self.depth in self.free else 1
        return super().choose(name, options[:keep], weights[:keep], fits)


def probabilities(chooser, language):
    found = [
        (told.text, Fraction(chooser.weight, chooser.total))
        for told in walk(lambda c: tale(c, language), chooser)
    ]
    assert len(dict(found)) == len(found), "two ways to tell one text"
    return dict(found)


def narrowed(kind, monkeypatch, **options):
    monkeypatch.setattr(Narrow, "options", options)
    return kind


STORIES = {
    "scheme": 7,
    "recall": 2,
    "question": 99,
    "name": 2,
    "moody": 2,
    "here": 2,
    "more": 2,
    "found": 2,
    "row": 3,
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_sub_grammar_sums_to_one(language, monkeypatch):
    found = probabilities(narrowed(NarrowWalking, monkeypatch, **STORIES)(), language)
    assert sum(found.values()) == 1
    assert len(found) > 2000


@pytest.mark.parametrize("first", range(0, 60, 4))
def test_every_stretch_of_a_story_sums_to_one(first):
    found = probabilities(Window(range(first, first + 2)), "both" if first == 0 else "en")
    assert sum(found.values()) == 1


def test_draws_agree_with_the_probabilities(monkeypatch):
    options = {"language": 2, "scheme": 3, "name": 2, "one_day": 2, "question": 99}
    expected = probabilities(narrowed(NarrowWalking, monkeypatch, **options)(), "both")
    likely = {text for text, p in expected.items() if p > Fraction(1, 500)}
    counts = Counter()
    for index in range(5000):
        text = tale(NarrowDrawing(derive(0, "chi", index)), "both").text
        assert text in expected
        counts[text if text in likely else None] += 1
    rest = 1 - sum(expected[text] for text in likely)
    pairs = [(counts[text], float(5000 * expected[text])) for text in sorted(likely)]
    pairs.append((counts[None], float(5000 * rest)))
    assert len(pairs) > 50
    assert chisquare(*zip(*pairs, strict=True)).pvalue > 0.01


def test_bits_are_those_of_the_choices():
    chooser = Drawing(0)
    assert chooser.bits == 0
    chooser.choose("a", "x", (7,))
    assert chooser.bits == 0
    found = chooser.choose("b", "xyz", (1, 1, 2))
    assert chooser.bits == {"x": 2, "y": 2, "z": 1}[found]
