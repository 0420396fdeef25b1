"""The right answer follows from what happens in the story, as an independent reader of the events finds."""

from collections import Counter

import pytest

from gptgrid.stages.corpus.builtin.tales.chinese import CHINESE
from gptgrid.stages.corpus.builtin.tales.english import ENGLISH
from gptgrid.stages.corpus.builtin.tales.generate import tales
from gptgrid.stages.corpus.builtin.tales.parse import parse
from gptgrid.stages.corpus.builtin.tales.questions import SIDE
from gptgrid.stages.corpus.builtin.tales.world import World

LANGUAGES = {"en": ENGLISH, "zh": CHINESE}


class Reader:
    """Reads events one after the other, with bookkeeping of its own, and answers every question it can."""

    def __init__(self, events):
        self.place, self.owner, self.count, self.answers = {}, {}, {}, {}
        for event in events:
            if read := getattr(self, event.name.replace("/", "_"), None):
                read(**event.slots)

    def answer(self, kind, answer, **slots):
        self.answers[kind, tuple(value.name for value in slots.values())] = (slots, answer)

    def feels(self, who, mood):
        self.answer("felt", mood, who=who)
        self.answer("why", mood, who=who, mood=mood)

    def counts(self, who, amount):
        self.answer("counted", amount.number, who=who, item=amount.item)

    def eats(self, who, food):
        self.answer("eaten", food, who=who)

    def goes(self, who, place):
        self.place[who] = place

    goes_out = goes

    def owns(self, who, thing):
        self.owner[thing] = who
        self.answer("first", who, thing=thing)

    def puts(self, who, thing, where):
        assert where is self.place[who]
        self.answer("left", where, who=who, thing=thing)

    def puts_spot(self, who, thing, where):
        self.answer("kept", where, who=who, thing=thing)

    def moves(self, who, thing, where):
        self.answer("moved", where, who=who, thing=thing)
        owner = self.owner[thing]
        self.answer("was", self.place[owner], who=owner, b=who, thing=thing)

    def wishes(self, a, who, thing):
        self.wished = thing
        self.answer("wished", thing, who=who)

    def comes(self, who, place):
        self.met = who

    def declines(self, who, b):
        self.answer("invited", self.met, who=who)

    def lie(self, who, where, **things):
        assert self.wished in things.values() and where is self.place[who]
        self.answer("found", where, who=who)

    def takes(self, who, thing):
        assert thing is self.wished

    def waits(self, who, place):
        self.waiting = who

    def swaps(self, a, b, mine, yours):
        assert (self.owner[mine], self.owner[yours]) == (a, b)
        self.owner |= {mine: b, yours: a}
        self.answer("met", self.place[a], a=a, b=b)
        self.lasting()

    def gives(self, giver, thing, to):
        assert self.owner[thing] is giver
        self.owner[thing] = to
        self.lasting()

    def lasting(self):
        for thing, who in self.owner.items():
            self.answer("last", who, thing=thing)

    def carries(self, who, thing):
        assert self.owner[thing] is who

    def counts_to(self, who, number):
        self.answer("counted_to", number, who=who)

    def hides(self, who, spot):
        self.answer("hid", spot, who=who)

    def finds_at(self, who, whom, spot):
        assert self.answers["hid", (whom.name,)][1] is spot
        self.finds(who, whom)

    def finds(self, who, whom):
        if ("found_first", (who.name,)) not in self.answers:
            self.answer("found_first", whom, who=who)

    def lives(self, a, who, place):
        self.place[who] = place
        self.answer("lived", place, who=who)

    def meant(self, a, who, thing):
        self.owner[thing] = a
        self.answer("got", thing, who=who)

    def gives_silently(self, giver, thing, to):
        assert self.answers["got", (to.name,)][1] is thing and self.place[giver] is self.place[to]

    def picks(self, who, amount):
        self.count[who] = amount.number.value

    def shares(self, giver, amount, to):
        self.changes(amount, {giver: -1, to: 1})

    def uses(self, who, amount):
        self.changes(amount, {who: -1})

    def gains(self, who, amount):
        self.changes(amount, {who: 1})

    def changes(self, amount, signs):
        for who, sign in signs.items():
            self.count[who] += sign * amount.number.value
            assert self.count[who] >= 1
        for who, value in self.count.items():
            self.answer("has", value, who=who, item=amount.item)

    def has_left(self, who, amount):
        assert self.count[who] == amount.number.value


def put(kind, slots, answer, language):
    """Word a question and its answer."""
    question, wording = language.questions[kind]
    answer = language.numbers[answer - 1] if isinstance(answer, int) else answer
    text = wording.format(**{**slots, "answer": answer})
    return question.format(**slots).capitalize(), text.capitalize()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_answers_follow_from_the_parsed_events(language):
    kinds = Counter()
    for tale in tales(200, 5, language):
        read = Reader(parse(tale.text, language).events).answers
        known = {put(kind, *found, LANGUAGES[language]): kind for (kind, _), found in read.items()}
        assert (tale.question.capitalize(), tale.answer.capitalize()) in known, tale.text
        kinds[known[tale.question.capitalize(), tale.answer.capitalize()]] += 1
        assert sum(question == tale.question.capitalize() for question, _ in known) == 1
    assert len(kinds) >= 15
    assert sum(kinds[kind] for kind in SIDE) < 120


@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answers_stand_in_the_story(language):
    for tale in tales(200, 6, language):
        story = tale.text.lower().rsplit("\n", 1)[0]
        for wrong in tale.alternatives:
            for word in ("near ", "because ", "in ", "at ", "on ", "a ", "an ", "因为", "很"):
                wrong = wrong.lower().removeprefix(word)
            wrong = wrong.rstrip("。.").removesuffix("的").removesuffix("附近")
            if language == "zh" and wrong not in story:
                # Another measure word, or none: 三个, 一顶帽子.
                wrong = wrong[:-1] if "几" in tale.question else wrong[2:]
            assert wrong and wrong in story, tale.text


@pytest.mark.parametrize("event", ["gives", "takes", "goes", "uses"])
def test_the_world_refuses_what_cannot_happen(event):
    story = next(tale for tale in tales(300, 8) if any(e.name == event for e in tale.events))
    index, told = next((i, e) for i, e in enumerate(story.events) if e.name == event)
    world = World()
    for before in story.events[:index]:
        world.apply(before.name, before.slots)
    slots = dict(told.slots)
    world.apply(event, slots)
    if event == "uses":
        world.number[slots["who"]] = 1
    with pytest.raises(AssertionError):
        world.apply(event, slots)
