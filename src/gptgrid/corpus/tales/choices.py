"""The one way in which a tale decides anything, and what is known of its probability.

A tale is told to a `Chooser`: it asks for every decision with `choose` and hands over every piece of text
with `say`. The chooser draws, or follows decisions made before, or reads them off a text that is already
there; the telling is the same.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import TypeVar

Option = TypeVar("Option")
Openings = Callable[[Option], Sequence[str]]


class Chooser(ABC):
    """Decides, and remembers what was decided, how likely it was, and what was said."""

    def __init__(self) -> None:
        self.path: list[int] = []
        self.names: list[str] = []
        self.odds: list[tuple[int, int]] = []
        self.pieces: list[str] = []

    def choose(
        self, name: str, options: Sequence[Option], weights: Sequence[int], openings: Openings[Option]
    ) -> Option:
        """Return one of the options.

        Args:
            name: what is decided, for messages.
            options: what can be.
            weights: whole numbers; the probability of an option is its share of their sum.
            openings: option → the ways in which the text can go on after it, by which a reader tells it
                from the others; none for the option that is meant where no other fits.
        """
        index = self.decide(name, options, weights, openings)
        self.path.append(index)
        self.names.append(name)
        self.odds.append((weights[index], sum(weights)))
        return options[index]

    @abstractmethod
    def decide(
        self, name: str, options: Sequence[Option], weights: Sequence[int], openings: Openings[Option]
    ) -> int:
        """Return the index of the option that is taken."""

    def say(self, text: str) -> None:
        """Take the next piece of the text."""
        self.pieces.append(text)

    @property
    def text(self) -> str:
        """Everything that was said."""
        return "".join(self.pieces)

    @property
    def probability(self) -> Fraction:
        """The exact probability of the decisions."""
        found = Fraction(1)
        for weight, total in self.odds:
            found *= Fraction(weight, total)
        return found

    @property
    def bits(self) -> float:
        """The information in the decisions, to a millionth of a bit: libraries differ in the last digits."""
        return round(math.fsum(math.log2(total / weight) for weight, total in self.odds), 6)


class Drawing(Chooser):
    """Draws from a seeded stream."""

    def __init__(self, seed: int):
        super().__init__()
        # `random()` is the one method whose numbers Python promises to keep.
        self.random = random.Random(seed).random

    def decide(
        self, name: str, options: Sequence[Option], weights: Sequence[int], openings: Openings[Option]
    ) -> int:
        """Draw one by the weights."""
        left = int(self.random() * sum(weights))
        for index, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return index
        raise AssertionError("weights are whole numbers above zero")


class Following(Chooser):
    """Follows given decisions, and takes the first option where they end."""

    def __init__(self, path: Sequence[int]):
        super().__init__()
        self.given = path
        self.widths: list[int] = []

    def decide(
        self, name: str, options: Sequence[Option], weights: Sequence[int], openings: Openings[Option]
    ) -> int:
        """Take the option that was given."""
        self.widths.append(len(options))
        return self.given[len(self.path)] if len(self.path) < len(self.given) else 0


class Reading(Chooser):
    """Reads the decisions off a text."""

    def __init__(self, text: str):
        super().__init__()
        self.given, self.position = text, 0

    def decide(
        self, name: str, options: Sequence[Option], weights: Sequence[int], openings: Openings[Option]
    ) -> int:
        """Find the one option with which the text goes on.

        Raises:
            ValueError: the text goes on in another way, or several options fit.
        """
        ways = [tuple(openings(option)) for option in options]
        fitting = [i for i, way in enumerate(ways) if self.given.startswith(way, self.position)]
        fitting = fitting or [i for i, way in enumerate(ways) if not way]
        if len(fitting) != 1:
            raise ValueError(f"{name}: {len(fitting)} of {len(options)} options fit {self.rest!r}")
        return fitting[0]

    def say(self, text: str) -> None:
        """Compare with the text.

        Raises:
            ValueError: the text says something else.
        """
        if not self.given.startswith(text, self.position):
            raise ValueError(f"expected {text!r}, found {self.rest!r}")
        self.position += len(text)
        super().say(text)

    @property
    def rest(self) -> str:
        """What comes next, shortened for messages."""
        return self.given[self.position : self.position + 60]


def every(tell: Callable[[Chooser], object]) -> Iterator[Following]:
    """Tell in every possible way, one after the other."""
    path: list[int] | None = []
    while path is not None:
        chooser = Following(path)
        tell(chooser)
        yield chooser
        path = successor(chooser.path, chooser.widths)


def successor(path: Sequence[int], widths: Sequence[int]) -> list[int] | None:
    """Return the beginning of the next path, or None after the last."""
    for depth in reversed(range(len(path))):
        if path[depth] + 1 < widths[depth]:
            return [*path[:depth], path[depth] + 1]
    return None


def zipf(count: int) -> list[int]:
    """Return whole weights that fall as 1, 1/2, 1/3, …"""
    return [5040 // rank for rank in range(1, count + 1)]
