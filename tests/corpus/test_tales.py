"""Tales are decided by seed and index, have the promised length, and can be answered from what they say."""

import os
import re
import subprocess
import sys

import pytest

from gptgrid.corpus.schemes import SCHEMES, move, swap
from gptgrid.corpus.story import Story
from gptgrid.corpus.tales import tale, tales

MANY = list(tales(1500, seed=0))


def test_index_decides_whatever_the_number():
    assert list(tales(5, seed=0)) == MANY[:5]
    assert tale(0, 1499) == MANY[1499]
    assert tale(1, 0) != MANY[0]


def test_another_process_with_another_hash_seed_tells_the_same():
    program = "from gptgrid.corpus.tales import tales; print('\\n'.join(tales(50, 0)))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout == "\n".join(MANY[:50]) + "\n"


def test_lengths_and_variety():
    lengths = [len(text.split()) for text in MANY]
    assert min(lengths) >= 60 and max(lengths) <= 250
    assert len(set(MANY)) == len(MANY)


def test_text_is_well_formed():
    for text in MANY:
        assert not re.search(r"[{}]|  |None|\ba [aeiou]|\ban [^aeiou]", text), text
        *story, question, answer = text.split("\n")
        assert len(story) >= 3 and question.startswith("Question: ") and question.endswith("?")
        wanted = answer.removeprefix("Answer: ").removesuffix(".")
        assert wanted.lower().removeprefix("at ").removeprefix("to ") in " ".join(story).lower(), text


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_question_has_two_answers(scheme):
    for seed in range(200):
        story = Story(seed)
        scheme(story)
        questions = [question for question, _ in story.facts]
        assert len(set(questions)) == len(questions)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_options_of_a_draw_read_differently(scheme, monkeypatch):
    say = Story.say

    def say_checked(self, *templates, **slots):
        told = {template.format(**{**self.cast, **slots}) for template in templates}
        assert len(told) == len(templates), templates
        say(self, *templates, **slots)

    monkeypatch.setattr(Story, "say", say_checked)
    for seed in range(50):
        scheme(Story(seed))


def read_facts(scheme, seed):
    story = Story(seed)
    scheme(story)
    return " ".join(sentence for sentences in story.paragraphs for sentence in sentences), dict(story.facts)


@pytest.mark.parametrize("seed", range(40))
def test_answers_of_a_moved_thing_follow_from_the_text(seed):
    text, facts = read_facts(move, seed)
    thing = re.search(r"had (the \w+ \w+) again|held (the \w+ \w+) tight", text)
    thing = thing[1] or thing[2]
    moved = re.search(r"now it was (.+?)\.|and left it (.+?)\.", text)
    assert facts[f"Where was {thing} in the end?"] == (moved[1] or moved[2])
    first = next(facts[question] for question in facts if question.endswith("look first?"))
    assert text.lower().index(first) < text.index(moved[0]) < text.lower().rindex(first)


@pytest.mark.parametrize("seed", range(40))
def test_owners_follow_from_what_was_handed_over(seed):
    text, facts = read_facts(swap, seed)
    first = re.search(r"So (\w+) (?:got|took) (the \w+ \w+), and (\w+) (?:got|took) (the \w+ \w+)\.", text)
    owners = {first[2]: first[1], first[4]: first[3]}
    later = re.search(
        r'(\w+) gave (?P<c>\w+) (?P<t>the \w+ \w+)\.|have (?P<t2>the \w+ \w+)," \w+ (\w+) to (?P<c2>\w+)\.',
        text,
    )
    if later:
        thing, giver = later["t"] or later["t2"], later[1] or later[5]
        assert owners[thing] == giver
        owners[thing] = later["c"] or later["c2"]
    assert {thing: facts[f"Who had {thing} in the evening?"] for thing in owners} == owners
