"""What a language brings along: its words, and its sentences for each event and question."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from gptgrid.stages.corpus.builtin.tales.world import (
    Amount,
    Character,
    Food,
    Item,
    Kind,
    Mood,
    Number,
    Place,
    Spot,
    Thing,
    Trait,
    Weather,
)


@dataclass(frozen=True)
class Language:
    """Words and sentences. Every list begins with what is most frequent."""

    code: str
    names: tuple[str, ...]
    girls: frozenset[str]
    """Which of the names are names of girls."""
    animals: tuple[Kind, ...]
    girl: Kind
    boy: Kind
    traits: tuple[Trait, ...]
    moods: tuple[Mood, ...]
    weathers: tuple[Weather, ...]
    places: tuple[Place, ...]
    spots: tuple[Spot, ...]
    colours: tuple[str, ...]
    things: tuple[Item, ...]
    foods: tuple[Food, ...]
    fruit: tuple[Item, ...]
    seen: tuple[Item, ...]
    numbers: tuple[Number, ...]
    """From one to twelve."""
    phrases: dict[str, tuple[str, ...]]
    """Kind of phrase → phrases: deeds, dreams, strangers."""
    sentences: dict[str, tuple[str, ...]]
    """Event → its wordings; they name the slots of the event."""
    questions: dict[str, tuple[str, str]]
    """Kind of question → question and answer; they name the slots of the fact and `answer`."""
    closing: str
    """How the last paragraph puts the question and the answer of what is `asked`."""
    character: Callable[[str, Kind, Trait], Character]
    thing: Callable[[str, Item], Thing]
    amount: Callable[[Number, Item], Amount]
    blank: str
    """Between two sentences."""
    reach: tuple[int, int]
    """Over how many words or characters a question may reach back."""
    day: int
    """Words or characters of the longest first day that a second may follow."""
    length: Callable[[str], int]
    """Words or characters of a text."""


@cache
def zipf(options: int) -> tuple[int, ...]:
    """Return weights that fall like 1/3, 1/4, 1/5, …"""
    return tuple(60 // rank for rank in range(3, options + 3))
