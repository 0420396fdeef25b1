"""The one mechanism through which every decision of a document goes.

A `Chooser` makes the decisions of one document and multiplies their probabilities. `Drawing` draws them
from a seed. `Walking` takes one branch after the other: all that there are, or those that agree with a text.
Who tells does not know which of them decides, so the probability of a document is the same for all.
"""

import math
import random
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import TypeVar

Option = TypeVar("Option")
Told = TypeVar("Told")
Fits = Callable[[Option, str, int], bool]
"""Whether an option agrees with a text from a position on."""

WINDOW = 240
"""Characters within which a text shows what was chosen."""


class DeadEndError(Exception):
    """The choices so far do not lead to the text."""


class Chooser:
    """Makes the choices of one document; their probability is `weight / total`, exactly."""

    def __init__(self) -> None:
        self.weight = 1
        self.total = 1

    @property
    def bits(self) -> float:
        """-log2 of the probability; rounded, so that it is the same on every machine."""
        return round(math.log2(self.total) - math.log2(self.weight), 6)

    def choose(
        self, name: str, options: Sequence[Option], weights: tuple[int, ...], fits: Fits | None = None
    ) -> Option:
        """Return one of several options.

        Args:
            name: of the decision.
            options: in an order that never changes.
            weights: one positive integer an option.
            fits: whether an option can be what a text goes on with; None: the text shows it later.
        """
        sums = cumulative(weights)
        index = self.index(name, options, sums, fits)
        self.weight *= weights[index]
        self.total *= sums[-1]
        return options[index]

    def index(self, name: str, options: Sequence[Option], sums: tuple[int, ...], fits: Fits | None) -> int:
        """Return the number of the option to take."""
        raise NotImplementedError

    def said(self, piece: str) -> None:
        """Take note of the next piece of the text."""


@cache
def cumulative(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Return the running sums of weights."""
    return tuple(accumulate(weights))


def named(option: object, text: str, at: int) -> bool:
    """Whether the name of an option comes up soon."""
    return text.find(str(option), at, at + WINDOW) >= 0


class Drawing(Chooser):
    """Draws each choice from the stream of a seed."""

    def __init__(self, seed: int):
        super().__init__()
        # `random()` is the one method whose numbers Python promises to keep.
        self.random = random.Random(seed).random

    def index(self, name: str, options: Sequence[Option], sums: tuple[int, ...], fits: Fits | None) -> int:
        """Draw an option with a probability in proportion to its weight."""
        return bisect(sums, int(self.random() * sums[-1]))


class Walking(Chooser):
    """Takes the first branch that is left, and remembers the others. See `walk`."""

    def __init__(self, text: str | None = None):
        super().__init__()
        self.text = text
        self.trail: list[list[int]] = []
        self.restart()

    def restart(self) -> None:
        """Go back to the beginning of the document, on the trail that is laid."""
        self.weight = self.total = 1
        self.depth = self.position = 0

    def index(self, name: str, options: Sequence[Option], sums: tuple[int, ...], fits: Fits | None) -> int:
        """Follow the trail; where it ends, lay it along the options that fit, first things first."""
        if self.depth == len(self.trail):
            branches = [
                index
                for index, option in enumerate(options)
                if self.text is None or fits is None or fits(option, self.text, self.position)
            ]
            if not branches:
                raise DeadEndError
            self.trail.append(branches[::-1])
        self.depth += 1
        return self.trail[self.depth - 1][-1]

    def said(self, piece: str) -> None:
        """Go on only where the text goes on like this."""
        if self.text is not None and not self.text.startswith(piece, self.position):
            raise DeadEndError
        self.position += len(piece)

    def turn(self) -> bool:
        """Leave the branch for the next one; False where none is left."""
        while self.trail:
            self.trail[-1].pop()
            if self.trail[-1]:
                return True
            self.trail.pop()
        return False


def walk(tell: Callable[[Walking], Told], chooser: Walking) -> Iterator[Told]:
    """Yield what every branch tells; `chooser` holds the probability of the one that was yielded last."""
    while True:
        chooser.restart()
        try:
            story = tell(chooser)
            complete = chooser.text is None or chooser.position == len(chooser.text)
        except DeadEndError:
            complete = False
        if complete:
            yield story
        if not chooser.turn():
            return
