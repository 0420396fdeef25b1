"""One story while it is being told: who takes part, what has been said, what can be asked.

Every random draw of a story goes through `Story.choose`. The options of a draw are equally likely and read
differently, so that the text of a story shows the choices that made it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gptgrid.corpus import words

Option = TypeVar("Option")


@dataclass(frozen=True)
class Character:
    """Somebody with a name, a lasting trait, and pronouns."""

    name: str
    kind: str
    trait: words.Trait
    he: str
    him: str
    his: str

    @property
    def a(self) -> str:
        """`a shy fox named Mia`."""
        return with_article(f"{self.trait.adjective} {self.kind} named {self.name}")

    @property
    def said(self) -> str:
        """The verb for everything that the character says."""
        return self.trait.said

    @property
    def went(self) -> str:
        """The verb for every way that the character goes."""
        return self.trait.went

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Thing:
    """Something to have, to lose, or to give away: `red ball`."""

    name: str

    @property
    def a(self) -> str:
        """`a red ball`."""
        return with_article(self.name)

    def __str__(self) -> str:
        return f"the {self.name}"


def with_article(phrase: str) -> str:
    """Return `an old drum`, `a red ball`."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


class Story:
    """Draws the choices of one story and collects its sentences and facts."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.used: set[Any] = set()
        self.cast: dict[str, Any] = {}
        self.paragraphs: list[list[str]] = [[]]
        self.facts: list[tuple[str, str]] = []
        self.mood = self.choose(words.MOODS)
        self.weather = self.choose(words.WEATHERS)

    # ----------------------------------------------------------------------------------- drawing

    def choose(self, options: Sequence[Option]) -> Option:
        """Draw one of several equally likely options."""
        # `random()` is the one method whose numbers Python promises to keep.
        return options[int(self.random.random() * len(options))]

    def pick(self, options: Sequence[Option]) -> Option:
        """Draw an option that the story has not picked before."""
        found = self.choose([option for option in options if option not in self.used])
        self.used.add(found)
        return found

    def order(self, options: Sequence[Option]) -> list[Option]:
        """Draw an order of all options."""
        rest, found = list(options), []
        while rest:
            found.append(self.choose(rest))
            rest.remove(found[-1])
        return found

    def character(self) -> Character:
        """Draw somebody new."""
        name = self.pick(words.GIRLS + words.BOYS)
        girl = name in words.GIRLS
        kind = self.choose(("girl" if girl else "boy", *words.ANIMALS))
        pronouns = ("she", "her", "her") if girl else ("he", "him", "his")
        return Character(name, kind, self.pick(words.TRAITS), *pronouns)

    def thing(self) -> Thing:
        """Draw a new thing; no other in the story has its colour."""
        return Thing(f"{self.pick(words.COLOURS)} {self.pick(words.THINGS)}")

    # ----------------------------------------------------------------------------------- telling

    def say(self, *templates: str, **slots: Any) -> None:
        """Tell one of several wordings of the same thing, about the cast and what else is given."""
        sentence = self.choose(templates).format(**{**self.cast, **slots})
        self.paragraphs[-1].append(sentence[0].upper() + sentence[1:])

    def paragraph(self) -> None:
        """Begin a new paragraph."""
        self.paragraphs.append([])

    def fact(self, question: str, answer: object, **slots: Any) -> None:
        """Note a question that the story answers, in one way only."""
        self.facts.append((question.format(**{**self.cast, **slots}), str(answer)))

    def text(self) -> str:
        """Return the story and one question about it, with its answer."""
        question, answer = self.choose(self.facts)
        lines = [" ".join(sentences) for sentences in self.paragraphs]
        answer = answer[0].upper() + answer[1:]
        return "\n".join([*lines, f"Question: {question}", f"Answer: {answer}."])
