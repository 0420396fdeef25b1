"""How the next token is chosen from its logits: the settings, and what they do.

In this order, as in transformers: the repetition penalty and the ban on repeated n-grams change logits,
temperature, top-k, top-p and min-p leave the tokens to draw among, one draw takes one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, fields
from math import inf
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from gptgrid.artifact.errors import UserError

MOST_BEAMS = 256
"""Each has a cache of its own of all that it has read."""
DRAW = ("temperature", "top_k", "top_p", "min_p")
"""Settings of the draw, which a beam search does without."""
SPAN = 256
"""Chances that are summed in one go."""
LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class Decoding:
    """Settings, of which none but the temperature does anything at its default."""

    temperature: float = 1.0
    """0 is greedy."""
    top_k: int = 0
    """0 is off."""
    top_p: float = 1.0
    """1 is off."""
    min_p: float = 0.0
    """0 is off."""
    repetition_penalty: float = 1.0
    """1 is off."""
    no_repeat_ngram: int = 0
    """0 is off."""
    beams: int = 1
    """1 is off. Beam search does not draw: temperature, top_k, top_p and min_p have no effect."""
    length_penalty: float = 1.0
    """Of beam search: a text's log probability is divided by its tokens to the power of this."""
    stop: tuple[str, ...] = ()
    """Texts at which a continuation ends. They are left out."""

    def check(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            UserError: a value is out of range, or of another type.
        """
        for field in fields(self):
            check_type(field.name, getattr(self, field.name), type(field.default))
        for name, (valid, expected) in {
            "temperature": (0 <= self.temperature < inf, "0 is greedy, above 0 draws"),
            "top_k": (self.top_k >= 0, "0 is off, above 0 keeps that many tokens"),
            "top_p": (0 < self.top_p <= 1, "it must lie above 0 and at most at 1, which is off"),
            "min_p": (0 <= self.min_p <= 1, "it must lie between 0, which is off, and 1"),
            "repetition_penalty": (0 < self.repetition_penalty < inf, "it must be above 0, 1 is off"),
            "no_repeat_ngram": (
                self.no_repeat_ngram >= 0,
                "0 is off, above 0 no so many tokens come twice in a row",
            ),
            "beams": (
                1 <= self.beams <= MOST_BEAMS,
                f"1 is off, above 1 searches with that many beams, {MOST_BEAMS} at most",
            ),
            "length_penalty": (-10 <= self.length_penalty <= 10, "it must lie between -10 and 10"),
            "stop": (all(self.stop), "an empty text would stop at once"),
        }.items():
            if not valid:
                raise UserError(f"{name} is {getattr(self, name)}; {expected}")


DEFAULT = Decoding(temperature=0.8, top_p=0.95)
"""Where a person asks for nothing: tokens are drawn, and not among the unlikely ones."""


def without_effect(decoding: Decoding) -> str | None:
    """Return what to say of changed settings of a draw where nothing is drawn; None if there are none."""
    names = [name for name in DRAW if getattr(decoding, name) != getattr(DEFAULT, name)]
    if decoding.beams == 1 or not names:
        return None
    return f"beam search draws nothing: {', '.join(names)} {'has' if len(names) == 1 else 'have'} no effect"


def check_type(name: str, value: Any, kind: type) -> None:
    """Refuse a setting that is not of the type of its default; a whole number is a number, too.

    Raises:
        UserError: it is of another type.
    """
    if kind is int:
        check_whole(name, value)
    elif kind is float and (isinstance(value, bool) or not isinstance(value, Real)):
        raise UserError(f"{name} is {value!r}; expected a number")
    elif kind is tuple and not (isinstance(value, tuple) and all(isinstance(text, str) for text in value)):
        raise UserError(f"{name} is {value!r}; expected a tuple of texts")


def check_whole(name: str, value: Any) -> None:
    """Refuse what is no whole number.

    Raises:
        UserError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UserError(f"{name} is {value!r}; expected a whole number")


class History:
    """What one text has said already, as far as a decoding asks."""

    def __init__(self, decoding: Decoding, ids: Iterable[int], ends: Set[int]) -> None:
        """Begin with the ids of a prompt.

        The marks at which a text ends are no text: a penalty on them, or a ban, would put off the end.
        """
        self.length, self.ends = decoding.no_repeat_ngram, ends
        self.ids: list[int] = []
        self.said: set[int] = set()
        self.followers: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)
        """The beginning of each n-gram → what came next."""
        for index in ids:
            self.add(index)

    def add(self, index: int) -> None:
        """Note the next id."""
        self.ids.append(index)
        self.said |= {index} - self.ends
        if self.length and len(self.ids) >= self.length:
            self.followers[tuple(self.ids[-self.length : -1])].add(index)

    def banned(self) -> list[int]:
        """Return the ids that would repeat an n-gram."""
        start = tuple(self.ids[len(self.ids) - self.length + 1 :])
        return sorted(self.followers.get(start, set()) - self.ends)


def choose(
    logits: Tensor, decoding: Decoding, histories: Sequence[History], generators: Sequence[torch.Generator]
) -> list[int]:
    """Choose the next id of each text.

    One text after the other, by NumPy, which sorts ten times as fast as torch.

    Args:
        logits: (text, vocabulary), on the CPU.
        decoding: the settings.
        histories: of the texts.
        generators: of the draws, one for each text, so that none depends on its neighbours.
    """
    chosen = []
    for row, history, generator in zip(logits.numpy(), histories, generators, strict=True):
        scores = adjust(row, decoding, history)
        if decoding.temperature == 0:
            chosen.append(int(scores.argmax()))
        else:
            point = float(torch.rand(1, dtype=torch.float64, generator=generator))
            chosen.append(draw(probabilities(scores, decoding), point))
    return chosen


def adjust(scores: np.ndarray, decoding: Decoding, history: History) -> np.ndarray:
    """Return scores (vocabulary,) as what was said changes them, in float64 if a setting asks for it.

    The repetition penalty divides positive ones by itself and multiplies others (Keskar et al. 2019). Tokens
    that would repeat an n-gram get -inf, unless none would be left.
    """
    if decoding.repetition_penalty == 1 and not decoding.no_repeat_ngram:
        return scores
    scores = scores.astype(np.float64)  # in which penalties near 1 do not vanish
    if decoding.repetition_penalty != 1 and history.said:
        said, penalty = sorted(history.said), decoding.repetition_penalty
        before = scores[said]
        with np.errstate(over="ignore"):
            penalized = np.where(before > 0, before / penalty, before * penalty)
        scores[said] = penalized.clip(-LARGEST, LARGEST)
    if decoding.no_repeat_ngram and len(banned := history.banned()) < len(scores):
        scores[banned] = -inf
    return scores


def probabilities(scores: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Return what to draw by, of scores (vocabulary,): float64, 0 for tokens that the settings leave out.

    Top-p leaves the likeliest tokens that together reach p (Holtzman et al. 2020); min-p those that are at
    least so likely in units of the likeliest (Nguyen et al. 2024). Of equal tokens the first ones stay.
    """
    scores = scores.astype(np.float64)  # in which temperatures near 0 do not vanish
    # Against the largest, so that no quotient but those of the unlikely ones becomes infinite.
    with np.errstate(over="ignore"):
        chances = np.exp((scores - scores.max()) / decoding.temperature)
    if 0 < decoding.top_k < len(chances):
        last = np.partition(scores, -decoding.top_k)[-decoding.top_k]
        chances[left_out(scores, last, decoding.top_k)] = 0
    chances /= chances.sum()
    if decoding.top_p < 1:
        ordered = np.sort(chances)[::-1]
        count = 1 + place_of_sum(ordered, decoding.top_p, "left")
        chances[left_out(chances, ordered[count - 1], count)] = 0
    if decoding.min_p:
        chances[chances < decoding.min_p * chances.max()] = 0
    return chances


def left_out(values: np.ndarray, last: float, count: int) -> np.ndarray:
    """Say which values are not among the `count` largest, of which `last` is the smallest."""
    out = values < last
    surplus = len(values) - np.count_nonzero(out) - count
    if surplus:
        out[np.flatnonzero(values == last)[-surplus:]] = True
    return out


def draw(chances: np.ndarray, point: float) -> int:
    """Return an index of chances (vocabulary,), which are at least 0 and not all 0, in proportion to them.

    `point`, from 0 to below 1, says which part of their sum lies before the drawn one.
    """
    place = place_of_sum(chances, point * chances.sum(), "right")
    # Sums are rounded: a point at the end of some may meet a chance of 0 behind them.
    return place if chances[place] else int(np.flatnonzero(chances[:place])[-1])


def place_of_sum(values: np.ndarray, amount: float, side: Literal["left", "right"]) -> int:
    """Return where the running sum of values (n,), at least 0, reaches an amount; the last place if nowhere.

    With side `right`, where it is more. Whole spans are summed first, which is several times as fast as to
    make every sum.
    """
    sums = np.add.reduceat(values, np.arange(0, len(values), SPAN)).cumsum()
    span = min(int(sums.searchsorted(amount, side)), len(sums) - 1)
    inside = values[span * SPAN : (span + 1) * SPAN].cumsum()
    if span:
        inside += sums[span - 1]
    return span * SPAN + min(int(inside.searchsorted(amount, side)), len(inside) - 1)
