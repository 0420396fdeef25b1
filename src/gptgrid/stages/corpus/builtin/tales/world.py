"""What a story is about, and what is the case in it at each moment.

`World.apply` knows what each event changes, and refuses what cannot happen: nobody gives away what they do
not have, and hands meet only where both are.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Named:
    """Something that a text mentions by its name."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Trait(Named):
    """A lasting quality; who has it speaks in one way."""

    said: str


@dataclass(frozen=True, eq=False)
class Kind(Named):
    """A kind of animal or child, with its measure word."""

    measure: str = ""


@dataclass(frozen=True, eq=False)
class Character(Named):
    """Somebody; `a` introduces them, `said` is how they speak."""

    a: str
    said: str


@dataclass(frozen=True, eq=False)
class Mood(Named):
    """How somebody feels, and why."""

    cause: str


@dataclass(frozen=True, eq=False)
class Weather(Named):
    """The weather of a day: a word that all its sentences share, and how it begins, goes on and ends."""

    morning: str
    later: str
    evening: str


@dataclass(frozen=True, eq=False)
class Place(Named):
    """Somewhere to go; `at` says that something is there."""

    at: str


@dataclass(frozen=True, eq=False)
class Spot(Named):
    """Somewhere in a house to hide or to hide things."""

    at: str


@dataclass(frozen=True, eq=False)
class Thing(Named):
    """Something to have, to lose, or to give away: `a red kite`, `the red kite`."""

    a: str
    the: str


@dataclass(frozen=True, eq=False)
class Food(Named):
    """Something to eat."""

    a: str


@dataclass(frozen=True, eq=False)
class Number(Named):
    """A number from one to twelve."""

    value: int


@dataclass(frozen=True, eq=False)
class Item(Named):
    """Something to count: the singular, and the plural or the measure word."""

    many: str


@dataclass(frozen=True, eq=False)
class Amount(Named):
    """So many of something: `three ducks`."""

    number: Number
    item: Item


class World:
    """Who is where, who has what."""

    def __init__(self) -> None:
        self.at: dict[Character, Place | None] = {}
        """Character → place; None: at home."""
        self.held: dict[Thing, Character | Place | Spot | None] = {}
        """Thing → who has it, or where it lies; in the order in which the things came up."""
        self.mood: dict[Character, Mood] = {}
        """Character → how the day began."""
        self.weather: Weather | None = None
        self.number: dict[Character, int] = {}
        """Character → how many things of the kind that the story counts."""

    def apply(self, event: str, slots: dict[str, Any]) -> None:
        """Let an event happen; `gives/silently` changes what `gives` changes."""
        if effect := getattr(World, event.partition("/")[0], None):
            effect(self, **slots)

    def opening(self, a: Character) -> None:
        """Somebody is at home."""
        self.at[a] = None

    def friend(self, a: Character, b: Character) -> None:
        """Somebody else is at home."""
        self.at[b] = None

    def next_day(self) -> None:
        """Everybody is at home and in no mood."""
        self.all_return()
        self.mood = {}

    def morning(self, weather: Weather) -> None:
        """The day begins."""
        self.weather = weather

    def feels(self, who: Character, mood: Mood) -> None:
        """Somebody is in a mood."""
        self.mood[who] = mood

    def goes(self, who: Character, place: Place) -> None:
        """Somebody goes somewhere else."""
        assert self.at[who] != place
        self.at[who] = place

    def both_go_back(self, a: Character, b: Character, thing: Thing, place: Place) -> None:
        """Two go where something was left, and get it."""
        self.goes(a, place)
        self.goes(b, place)
        self.takes(a, thing)

    def lives(self, a: Character, who: Character, place: Place) -> None:
        """Somebody is where they live."""
        self.at[who] = place

    def waits(self, who: Character, place: Place) -> None:
        """Somebody is somewhere already."""
        self.at[who] = place

    def comes(self, who: Character, place: Place) -> None:
        """Somebody new comes."""
        assert who not in self.at
        self.at[who] = place

    def returns(self, who: Character) -> None:
        """Somebody goes home."""
        assert self.at[who] is not None
        self.at[who] = None

    def all_return(self) -> None:
        """Everybody goes home."""
        self.at = dict.fromkeys(self.at)

    def owns(self, who: Character, thing: Thing) -> None:
        """Somebody has something."""
        assert thing not in self.held
        self.held[thing] = who

    def puts(self, who: Character, thing: Thing, where: Place | Spot) -> None:
        """Somebody puts something down."""
        assert self.held[thing] == who
        assert isinstance(where, Spot) or self.at[who] == where
        self.held[thing] = where

    def moves(self, who: Character, thing: Thing, where: Spot) -> None:
        """Somebody moves something from its spot to another."""
        assert isinstance(self.held[thing], Spot) and self.held[thing] != where
        self.held[thing] = where

    def lie(self, who: Character, where: Place, **things: Thing) -> None:
        """Things are somewhere."""
        self.held.update(dict.fromkeys(things.values(), where))

    def meant(self, a: Character, who: Character, thing: Thing) -> None:
        """Somebody has something for somebody else."""
        self.held[thing] = a

    def takes(self, who: Character, thing: Thing) -> None:
        """Somebody takes what lies where they are."""
        where = self.held[thing]
        assert isinstance(where, Spot) or (isinstance(where, Place) and self.at[who] == where)
        self.held[thing] = who

    def gives(self, giver: Character, thing: Thing, to: Character) -> None:
        """Somebody gives something to somebody who is there too."""
        assert giver != to and self.held[thing] == giver and self.at[giver] == self.at[to]
        self.held[thing] = to

    def swaps(self, a: Character, b: Character, mine: Thing, yours: Thing) -> None:
        """Two swap what they have."""
        self.gives(a, mine, b)
        self.gives(b, yours, a)

    def picks(self, who: Character, amount: Amount) -> None:
        """Somebody picks some."""
        self.number[who] = amount.number.value

    def shares(self, giver: Character, amount: Amount, to: Character) -> None:
        """Somebody gives some of theirs, and keeps at least one."""
        assert self.at[giver] == self.at[to] and self.number[giver] > amount.number.value
        self.number[giver] -= amount.number.value
        self.number[to] += amount.number.value

    def uses(self, who: Character, amount: Amount) -> None:
        """Somebody has some less, but at least one."""
        assert self.number[who] > amount.number.value
        self.number[who] -= amount.number.value

    def gains(self, who: Character, amount: Amount) -> None:
        """Somebody has some more."""
        self.number[who] += amount.number.value
