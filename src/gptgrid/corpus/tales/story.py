"""One tale while it is being told: its cast, what was said, what can be asked.

A role is cast when the text first mentions it, so the text shows every decision where it is made.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from gptgrid.corpus.tales.choices import Chooser, zipf
from gptgrid.corpus.tales.world import Entity, Table, World


@dataclass(frozen=True)
class Language:
    """How the tales read in one language."""

    tables: Mapping[str, Table]
    """Kind → who and what there is."""
    wordings: Mapping[str, tuple[str, ...]]
    """Event → sentences that tell it, likeliest first; `{role.form}` mentions a role."""
    questions: Mapping[str, tuple[str, str]]
    """Question → its wording and that of its answer, whose first role is what is asked for."""
    closing: str
    """The last paragraph, of `{question}` and `{answer}`."""
    space: str
    """Between sentences."""


@dataclass(frozen=True)
class Mention:
    """A literal piece of a wording, and the role that follows it, or none at the end."""

    literal: str
    role: str
    form: str


@cache
def mentions(wording: str) -> tuple[Mention, ...]:
    """Take a wording apart."""
    parts = [*re.split(r"\{(\w+)\.?(\w*)\}", wording), "", ""]
    return tuple(Mention(*parts[at : at + 3]) for at in range(0, len(parts), 3))


class Story:
    """Tells one tale to a chooser."""

    def __init__(self, chooser: Chooser, language: Language, kinds: Mapping[str, str | tuple[str, ...]]):
        """Begin.

        Args:
            chooser: what decides.
            language: how it reads.
            kinds: role → the kind of who or what plays it, or those other roles of which it is one.
        """
        self.chooser, self.language, self.kinds = chooser, language, kinds
        self.world = World()
        self.cast: dict[str, Entity] = {}
        self.facts: list[str] = []
        self.break_ = ""
        self.asides: list[str] = []

    def __getitem__(self, role: str) -> Entity:
        """Return who or what plays a role."""
        return self.cast[role]

    def paragraph(self) -> None:
        """Begin a new paragraph."""
        self.break_ = "\n"

    def tell(self, event: str) -> None:
        """Tell an event in one of its wordings."""
        wordings = self.language.wordings[event]
        wording = wordings[0]
        if len(wordings) > 1:
            wording = self.chooser.choose(event, wordings, zipf(len(wordings)), self.openings)
        first = True
        for mention in mentions(wording):
            literal = self.break_ + capital(mention.literal) if first else mention.literal
            # The chooser reads on where the words of the role begin.
            self.chooser.say(literal)
            starts = first and not mention.literal
            if mention.role:
                words = self.mention(mention, capital if starts else str)
                self.chooser.say(words)
            first = False
        self.break_ = self.language.space

    def mention(self, mention: Mention, style: Callable[[str], str]) -> str:
        """Return the words for a role, which is cast if it was not."""
        if mention.role not in self.cast:
            entities, weights = self.candidates(mention.role)
            self.cast[mention.role] = self.chooser.choose(
                mention.role, entities, weights, lambda entity: (style(entity.forms[mention.form]),)
            )
        return style(self.cast[mention.role].forms[mention.form])

    def candidates(self, role: str) -> tuple[list[Entity], list[int]]:
        """Return who or what can play a role: one of some roles, or what plays none yet."""
        kind = self.kinds[role]
        if isinstance(kind, tuple):
            return [self.cast[other] for other in kind], [1] * len(kind)
        table, taken = self.language.tables[kind], set(self.cast.values())
        free = [i for i, entity in enumerate(table.entities) if entity not in taken]
        return [table.entities[i] for i in free], [table.weights[i] for i in free]

    def openings(self, wording: str) -> list[str]:
        """Return how a wording can begin, up to and with the first role that is still open."""
        text = ""
        for mention in mentions(wording):
            text += mention.literal
            if mention.role and mention.role not in self.cast:
                entities, _ = self.candidates(mention.role)
                return [self.break_ + capital(text + entity.forms[mention.form]) for entity in entities]
            text += self.cast[mention.role].forms[mention.form] if mention.role else ""
        return [self.break_ + capital(text)]

    def events_open(self, event: str | None) -> list[str]:
        """Return how an event can begin; none for no event."""
        wordings = self.language.wordings[event] if event else ()
        return [opening for wording in wordings for opening in self.openings(wording)]

    def branch(self, name: str, events: Iterable[str | None], weights: list[int]) -> str | None:
        """Tell one of several events, or none of them, and return which."""
        event = self.chooser.choose(name, list(events), weights, self.events_open)
        if event:
            self.tell(event)
        return event

    def pause(self) -> None:
        """Tell some of the small events that the tale has not had yet, or none."""
        while self.asides:
            event = self.branch("aside", [None, *self.asides], [3] + [1] * len(self.asides))
            if event is None:
                return
            self.asides.remove(event)
            if event in self.language.questions:
                self.facts.append(event)

    def ask(self, *questions: str) -> None:
        """Note questions that the tale answers, each in one way only."""
        self.facts += questions

    def fill(self, wording: str) -> str:
        """Return a wording whose roles are all cast."""
        words = (m.literal + (self.cast[m.role].forms[m.form] if m.role else "") for m in mentions(wording))
        return "".join(words)

    def close(self) -> tuple[str, str, tuple[str, ...]]:
        """Ask one of the questions and return it, its answer, and other answers that the tale suggests."""

        def paragraph(fact: str) -> list[str]:
            question, answer = map(self.fill, self.language.questions[fact])
            return ["\n" + self.language.closing.format(question=capital(question), answer=capital(answer))]

        fact = self.chooser.choose("question", self.facts, [1] * len(self.facts), paragraph)
        self.chooser.say(paragraph(fact)[0])
        question, answer = self.language.questions[fact]
        return capital(self.fill(question)), capital(self.fill(answer)), tuple(self.alternatives(answer))

    def alternatives(self, answer: str) -> list[str]:
        """Return the answer about all else of its kind that the tale mentions, or about three others."""
        asked = next(mention.role for mention in mentions(answer) if mention.role)
        right = self.cast[asked]
        others = dict.fromkeys(entity for entity in self.cast.values() if entity.kind == right.kind)
        if len(others) == 1:
            others = dict.fromkeys(self.language.tables[right.kind].entities[:4])
        found = []
        for entity in others:
            if entity is not right:
                self.cast[asked] = entity
                found.append(capital(self.fill(answer)))
        self.cast[asked] = right
        return found


def capital(text: str) -> str:
    """Return a text with a capital at its beginning, also behind a quotation mark."""
    if text[:1] == '"':
        return text[:1] + text[1:2].upper() + text[2:]
    return text[:1].upper() + text[1:]
