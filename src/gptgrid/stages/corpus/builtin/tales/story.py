"""One story while it is told: what happened, what has been said, what can be asked."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gptgrid.stages.corpus.builtin.tales.choices import Chooser, named
from gptgrid.stages.corpus.builtin.tales.language import Language, zipf
from gptgrid.stages.corpus.builtin.tales.world import Amount, Character, Item, Thing, World

Option = TypeVar("Option", bound=Hashable)


@dataclass(frozen=True)
class Event:
    """Something that was told, what it is about, and where its sentence ends (words, characters)."""

    name: str
    slots: dict[str, Any]
    end: int


@dataclass(frozen=True)
class Fact:
    """Something that can be asked; `end` is where the story last says it (words, characters)."""

    kind: str
    slots: dict[str, Any]
    answer: Any
    end: int


class Story:
    """Tells events in a language, as a chooser decides."""

    def __init__(self, chooser: Chooser, language: Language):
        self.chooser = chooser
        self.language = language
        self.world = World()
        self.used: set[Any] = set()
        self.worded: set[str] = set()
        """The last wording of each event."""
        self.events: list[Event] = []
        self.facts: dict[tuple[str, Any], Fact] = {}
        self.pieces: list[str] = []
        self.gap = ""
        self.length = 0

    # ----------------------------------------------------------------------------------- choices

    def choose(self, name: str, options: Sequence[Option], weights: tuple[int, ...] | None = None) -> Option:
        """Choose something that the text names within a few sentences."""
        return self.chooser.choose(name, options, weights or zipf(len(options)), named)

    def pick(self, name: str, options: Sequence[Option]) -> Option:
        """Choose something that the story does not have yet."""
        all_weights = zipf(len(options))
        left = [index for index, option in enumerate(options) if option not in self.used]
        found = self.choose(
            name, [options[index] for index in left], tuple([all_weights[index] for index in left])
        )
        self.used.add(found)
        return found

    def decide(self, name: str, options: Sequence[Any], weights: tuple[int, ...]) -> Any:
        """Choose how the story goes on; the next sentence shows it."""
        return self.chooser.choose(name, options, weights)

    def order(self, name: str, options: Sequence[Option]) -> Iterator[Option]:
        """Choose one option after the other, when it is needed; each order is as likely as any other."""
        rest = list(options)
        while rest:
            found = self.choose(name, rest, (1,) * len(rest))
            rest.remove(found)
            yield found

    def character(self) -> Character:
        """Choose somebody new."""
        language = self.language
        name = self.pick("name", language.names)
        child = language.girl if name in language.girls else language.boy
        kind = self.pick("kind", (*language.animals, child))
        return language.character(name, kind, self.pick("trait", language.traits))

    def thing(self) -> Thing:
        """Choose a new thing, of a colour of its own."""
        colour = self.pick("colour", self.language.colours)
        return self.language.thing(colour, self.pick("thing", self.language.things))

    def amount(self, values: Sequence[int], item: Item) -> Amount:
        """Choose how many of something; the values come most frequent first."""
        amounts = [self.language.amount(self.language.numbers[value - 1], item) for value in values]
        return self.choose("number", amounts)

    # ----------------------------------------------------------------------------------- telling

    def tell(self, name: str, /, **slots: Any) -> None:
        """Let an event happen, and tell it in one of its wordings."""
        self.world.apply(name, slots)
        self.say(sentence(self.wording(self.language.sentences[name], slots), slots))
        self.events.append(Event(name, slots, self.length))

    def wording(self, wordings: Sequence[str], slots: dict[str, Any]) -> str:
        """Choose a wording, not the one that the same event had last time."""
        if len(wordings) == 1:
            return wordings[0]
        left = [wording for wording in wordings if wording not in self.worded]
        found = self.chooser.choose(
            "wording",
            left,
            zipf(len(left)),
            lambda option, text, at: text.startswith(self.gap + sentence(option, slots), at),
        )
        self.worded.difference_update(wordings)
        self.worded.add(found)
        return found

    def say(self, text: str) -> None:
        """Add a sentence to the text."""
        self.chooser.said(self.gap + text)
        self.pieces.append(self.gap + text)
        self.gap = self.language.blank
        self.length += self.language.length(text)

    def paragraph(self) -> None:
        """Begin a new paragraph."""
        self.gap = "\n"

    def fact(self, kind: str, answer: Any, /, **slots: Any) -> None:
        """Note what the story says now, in place of what it said before on the same question."""
        self.facts[kind, tuple(slots.values())] = Fact(kind, slots, answer, self.length)


def sentence(wording: str, slots: dict[str, Any]) -> str:
    """Fill in a wording; it begins with a capital letter."""
    text = wording.format_map(slots)
    return text[0].upper() + text[1:]
