"""The dialogues `tales`: a short passage in the words of the tales, a question, and the one right answer.

A passage has one to four sentences. Some tell the like of one, two or three people: owners, hiding places,
moods. Others tell of a change: what lies where before and after a move. The question asks for one of the
things mentioned, so whoever knows what kind of answer is wanted still has to read. Of 20,000 first
questions, English or Chinese, somebody is right who always

| | passages of three people | of one, two or three |
|---|---|---|
| gives the most frequent answer | 2 % | 2 % |
| gives the most frequent answer to that kind of question | 10 % | 10 % |
| names what the passage mentions last, of what is asked for and not in the question | 33 % | 47 % |
| names what it mentions first of that | 40 % | 53 % |
| draws one that it mentions | 36 % | 50 % |

Of passages of three people none has the same first question as another; of the others 3 %.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

from gptgrid.seeds import derive
from gptgrid.stages.corpus.builtin.tales.choices import Chooser, Drawing
from gptgrid.stages.corpus.builtin.tales.generate import LANGUAGES
from gptgrid.stages.corpus.builtin.tales.language import Language
from gptgrid.stages.corpus.builtin.tales.schemes import possible
from gptgrid.stages.corpus.builtin.tales.story import Story, sentence
from gptgrid.stages.corpus.builtin.tales.world import Amount, Character, Item, Mood
from gptgrid.text.chat_template import Message

Option = TypeVar("Option")

CAUSES = 4
"""The first moods have causes that are said in at most five words."""


def dialogues(
    documents: int, seed: int, language: Literal["en", "zh", "both"] = "en", told: Sequence[int] = (1, 2, 3)
) -> Iterator[list[Message]]:
    """Yield the first `documents` dialogues of a seed; each answer has one to five words, and a full stop.

    Args:
        documents: how many.
        seed: of all choices.
        language: `both`: each is in one of the two.
        told: of how many people a passage tells where nothing changes: one of these numbers, 1 to 3.
    """
    return (dialogue(Drawing(derive(seed, "dialogues", index)), language, told) for index in range(documents))


def dialogue(chooser: Chooser, language: Literal["en", "zh", "both"], told: Sequence[int]) -> list[Message]:
    """Return the dialogue that a chooser decides on; one in eight has a second question on its passage."""
    options = LANGUAGES[language]
    passage = Passage(chooser, chooser.choose("language", options, (1,) * len(options)), told)
    schemes, weights = zip(*SCHEMES.items(), strict=True)
    passage.decide("scheme", schemes, weights)(passage)
    asked = [passage.question()]
    if passage.decide("again", (True, False), (1, 7)):
        asked.append(passage.question())
    questions, answers = zip(*asked, strict=True)
    asking = passage.language.blank.join(("".join(passage.pieces), questions[0]))
    return [
        Message(role, content)
        for question, answer in zip((asking, *questions[1:]), answers, strict=True)
        for role, content in (("user", question), ("assistant", answer))
    ]


class Passage(Story):
    """A few sentences, in which everything is as likely as anything else."""

    def __init__(self, chooser: Chooser, language: Language, told: Sequence[int]) -> None:
        super().__init__(chooser, language)
        self.told = told

    def people(self) -> range:
        """Choose of how many people the passage tells."""
        if len(self.told) == 1:
            return range(self.told[0])
        return range(self.decide("told", self.told, (1,) * len(self.told)))

    def pick(self, name: str, options: Sequence[Option]) -> Option:
        """Choose something that the passage does not have yet."""
        left = [option for option in options if option not in self.used]
        found = self.decide(name, left, (1,) * len(left))
        self.used.add(found)
        return found

    def amount(self, values: Sequence[int], item: Item) -> Amount:
        """Choose how many of something."""
        number = self.decide("number", values, (1,) * len(values))
        return self.language.amount(self.language.numbers[number - 1], item)

    def character(self) -> Character:
        """Choose somebody new, who is at home."""
        found = super().character()
        self.world.at[found] = None
        return found

    def question(self) -> tuple[str, str]:
        """Choose one of the facts that were not asked yet; return the question and its answer."""
        left = list(self.facts)
        fact = self.facts.pop(self.decide("fact", left, (1,) * len(left)))
        question, answer = self.language.questions[fact.kind]
        return sentence(question, fact.slots), sentence(answer, {**fact.slots, "answer": fact.answer})


def own(passage: Passage) -> None:
    """Some have something each."""
    for _ in passage.people():
        who = passage.character()
        colour = passage.pick("colour", passage.language.colours)
        item = passage.pick("item", passage.language.things)
        thing = passage.language.thing(colour, item)
        passage.tell("owns", who=who, thing=thing)
        passage.fact("had", thing, who=who)
        passage.fact("owner", who, thing=thing)
        passage.fact("colour", colour, who=who, item=item)


def feel(passage: Passage) -> None:
    """Some are in a mood, each for a reason that might be any of them's."""
    moods = passage.language.moods
    for _ in passage.people():
        who = passage.character()
        cause = passage.pick("cause", [mood.cause for mood in moods[:CAUSES]])
        mood = Mood(passage.pick("mood", [mood.name for mood in moods]), cause)
        passage.tell("feels", who=who, mood=mood)
        passage.fact("mood", mood, who=who)
        passage.fact("moody", who, mood=mood)
        passage.fact("cause", mood, who=who, mood=mood)


def eat(passage: Passage) -> None:
    """Some eat something each."""
    for _ in passage.people():
        who = passage.character()
        food = passage.pick("food", passage.language.foods)
        passage.tell("eats", who=who, food=food)
        passage.fact("eaten", food, who=who)
        passage.fact("eater", who, food=food)


def count(passage: Passage) -> None:
    """Some count something each."""
    values = [number.value for number in passage.language.numbers]
    for _ in passage.people():
        who, item = passage.character(), passage.pick("seen", passage.language.seen)
        amount = passage.amount(values, item)
        values.remove(amount.number.value)
        passage.tell("counts", who=who, amount=amount)
        passage.fact("counted", amount.number, who=who, item=item)
        passage.fact("counter", who, amount=amount)


def hide(passage: Passage) -> None:
    """Some hide."""
    for _ in passage.people():
        who, spot = passage.character(), passage.pick("spot", passage.language.spots)
        passage.tell("hides", who=who, spot=spot)
        passage.fact("hid", spot, who=who)
        passage.fact("hider", who, spot=spot)


# -------------------------------------------------------------------------------- before and after a change


def go(passage: Passage) -> None:
    """Two go somewhere, and one of them goes on."""
    people = [passage.character(), passage.character()]
    for who in people:
        passage.tell("goes/out", who=who, place=passage.pick("place", passage.language.places))
    mover = passage.decide("mover", people, (1, 1))
    passage.fact("went_first", passage.world.at[mover], who=mover)
    passage.tell("goes", who=mover, place=passage.pick("place", passage.language.places))
    for who in people:
        passage.fact("at_last", passage.world.at[who], who=who)
        passage.fact("there_last", who, place=passage.world.at[who])


def lose(passage: Passage) -> None:
    """Somebody leaves something at one of two places."""
    who, thing = passage.character(), passage.thing()
    passage.world.owns(who, thing)
    here = passage.decide("here", (0, 1), (1, 1))
    for number, event in enumerate(("goes/out", "goes")):
        place = passage.pick("place", passage.language.places)
        passage.tell(event, who=who, place=place)
        if number == 0:
            passage.fact("went_first", place, who=who)
        if number == here:
            passage.tell("puts", who=who, thing=thing, where=place)
            passage.fact("left", place, who=who, thing=thing)


def move(passage: Passage) -> None:
    """Two things are put somewhere, and one of them is put somewhere else."""
    things = [passage.thing(), passage.thing()]
    for thing in things:
        who = passage.character()
        passage.world.owns(who, thing)
        passage.tell("puts/spot", who=who, thing=thing, where=passage.pick("spot", passage.language.spots))
    moved = passage.decide("moved", things, (1, 1))
    passage.fact("lay_first", passage.world.held[moved], thing=moved)
    where = passage.pick("spot", passage.language.spots)
    passage.tell("moves", who=passage.character(), thing=moved, where=where)
    for thing in things:
        passage.fact("lay_last", passage.world.held[thing], thing=thing)


def swap(passage: Passage) -> None:
    """Two swap what they have."""
    a, mine, b, yours = passage.character(), passage.thing(), passage.character(), passage.thing()
    for who, thing in ((a, mine), (b, yours)):
        passage.tell("owns", who=who, thing=thing)
        passage.fact("first", who, thing=thing)
    passage.tell("swaps", a=a, b=b, mine=mine, yours=yours)
    for who, thing in ((a, yours), (b, mine)):
        passage.fact("last", who, thing=thing)
        passage.fact("has_last", thing, who=who)


def give(passage: Passage) -> None:
    """Something goes from hand to hand."""
    thing, giver = passage.thing(), passage.character()
    passage.tell("owns", who=giver, thing=thing)
    passage.fact("first", giver, thing=thing)
    for _ in range(2):
        to = passage.character()
        passage.tell("gives", giver=giver, thing=thing, to=to)
        passage.fact("giver", giver, thing=thing, to=to)
        giver = to
    passage.fact("last", giver, thing=thing)


def harvest(passage: Passage) -> None:
    """Two pick something; then one gives some away, uses some or finds more."""
    a, b = people = passage.character(), passage.character()
    item = passage.decide("fruit", passage.language.fruit, (1,) * len(passage.language.fruit))
    for who in people:
        passage.tell("picks", who=who, amount=passage.amount(range(1, 10), item))
    options = [
        (event, who, other)
        for event in ("shares", "uses", "gains")
        for who, other in ((a, b), (b, a))
        if possible(passage, event, who, other)
    ]
    event, who, other = passage.decide("change", options, (1,) * len(options))
    amount = passage.amount(possible(passage, event, who, other), item)
    if event == "shares":
        passage.tell("shares", giver=who, amount=amount, to=other)
    else:
        passage.tell(event, who=who, amount=amount)
    for one in people:
        passage.fact("has", passage.language.numbers[passage.world.number[one] - 1], who=one, item=item)


SCHEMES: dict[Callable[[Passage], None], int] = {
    own: 3,
    feel: 2,
    eat: 2,
    count: 2,
    hide: 2,
    go: 3,
    lose: 2,
    move: 3,
    swap: 1,
    give: 1,
    harvest: 1,
}
"""What a passage may be about → its weight."""
