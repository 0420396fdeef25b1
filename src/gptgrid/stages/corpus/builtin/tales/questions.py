"""The closing question: one right answer, and what else the story would have to offer."""

from dataclasses import dataclass
from typing import Any

from gptgrid.stages.corpus.builtin.tales.story import Event, Fact, Story, sentence
from gptgrid.stages.corpus.builtin.tales.world import Amount, Number

SIDE = ("felt", "why", "counted", "eaten")
"""Kinds of questions that any story may have; those on its plot are three times as likely."""


@dataclass(frozen=True)
class Asked:
    """A question with its right answer and wrong ones, as the text puts them."""

    question: str
    answer: str
    alternatives: tuple[str, ...]
    distance: int
    """Words or characters between what decides the answer and the answer."""


def ask(story: Story) -> Asked:
    """Close the story with one of the questions that it can be asked."""
    seen = mentioned(story.events)
    pairs = [(put(story, fact, seen), 1 if fact.kind in SIDE else 3) for fact in story.facts.values()]
    options, weights = zip(*((asked, weight) for asked, weight in pairs if asked), strict=True)
    story.paragraph()
    closing = story.language.closing.format
    asked = story.chooser.choose(
        "question",
        options,
        weights,
        lambda option, text, at: text.startswith(closing(asked=option), at + len(story.gap)),
    )
    story.say(closing(asked=asked))
    return asked


def mentioned(events: list[Event]) -> dict[type, dict[Any, None]]:
    """Return type → what of it was mentioned, in order."""
    seen: dict[type, dict[Any, None]] = {}
    for event in events:
        for value in event.slots.values():
            seen.setdefault(type(value), {})[value] = None
            if isinstance(value, Amount):
                seen.setdefault(Number, {})[value.number] = None
    return seen


def put(story: Story, fact: Fact, seen: dict[type, dict[Any, None]]) -> Asked | None:
    """Return the question after a fact; None where it is too near, too far, or leaves no doubt."""
    language = story.language
    question, answer = language.questions[fact.kind]
    given = (fact.answer, *fact.slots.values())
    others = [value for value in seen[type(fact.answer)] if value not in given]
    text = sentence(question, fact.slots)
    distance = story.length - fact.end + language.length(text)
    if not others or not language.reach[0] <= distance <= language.reach[1]:
        return None
    told = [sentence(answer, {**fact.slots, "answer": value}) for value in (fact.answer, *others)]
    return Asked(text, told[0], tuple(told[1:]), distance)
