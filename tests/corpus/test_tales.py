"""Tales: their probabilities are right, their text shows what made it, and it answers the question."""

import hashlib
import math
import os
import re
import subprocess
import sys
import zlib
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from scipy.stats import chisquare

from gptgrid.corpus.tales import schemes
from gptgrid.corpus.tales.choices import Drawing, Following, every
from gptgrid.corpus.tales.generate import LANGUAGES, generate, parse, tale, tales
from gptgrid.corpus.tales.schemes import ROLES, tell
from gptgrid.corpus.tales.story import Story, mentions
from gptgrid.corpus.tales.world import Entity, Table, World

MANY = {language: list(generate(1000, 0, language)) for language in LANGUAGES}
SHA256 = {
    "en": "2151cf2423a465c7ba9940017960284af2aadb483af2f213df7a839ef958bc63",
    "zh": "af155699dd15fcbd3d80a10bdf1a85602cf5f40dc41df761c80b6f843e3a6bf1",
}
SIZES = {"person": 3, "thing": 2, "place": 2, "spot": 2, "mood": 2, "cause": 2}


def small(language: str):
    """Return a sub-grammar with one small event, two or three names, and two wordings of few events."""
    whole = LANGUAGES[language]
    sizes = {kind: SIZES.get(kind, 1) for kind in whole.tables}
    asides = {*schemes.INDOORS, *schemes.OUTDOORS} - {"eat"}
    return replace(
        whole,
        tables={
            kind: Table(table.entities[: sizes[kind]], table.weights[: sizes[kind]])
            for kind, table in whole.tables.items()
        },
        wordings={
            event: wordings[: 2 if event in ("moves", "exchange") else 1]
            for event, wordings in whole.wordings.items()
            if event not in asides
        },
    )


@pytest.fixture(params=[("en", "swap"), ("zh", "move")], ids="-".join)
def grammar(request, monkeypatch):
    """Return a function that tells a tale of one plot of a small grammar."""
    language, plot = request.param
    monkeypatch.setattr(schemes, "SCHEMES", {plot: schemes.SCHEMES[plot]})
    monkeypatch.setattr(schemes, "begin", begin)
    restricted = small(language)
    return lambda chooser: tell(Story(chooser, restricted, ROLES))


def begin(story, whole=schemes.begin):
    """Begin, but ask nothing that every plot asks."""
    whole(story)
    story.facts.remove("home")


def test_probabilities_sum_to_one_and_texts_differ(grammar):
    total, texts = Fraction(0), set()
    count = 0
    for chooser in every(grammar):
        count += 1
        total += chooser.probability
        texts.add(chooser.text)
        assert math.isclose(2**-chooser.bits, chooser.probability, rel_tol=1e-5)
    assert total == 1
    assert len(texts) == count > 3000


def bucket(text: str) -> int:
    """Put texts into 40 heaps."""
    return zlib.crc32(text.encode()) % 40


def test_a_count_agrees_with_the_probabilities(grammar):
    expected, draws = Counter(), 4000
    for chooser in every(grammar):
        expected[bucket(chooser.text)] += float(chooser.probability) * draws
    found = Counter()
    for seed in range(draws):
        chooser = Drawing(seed)
        grammar(chooser)
        found[bucket(chooser.text)] += 1
    assert min(expected.values()) > 20
    assert chisquare([found[name] for name in expected], list(expected.values())).pvalue > 0.001


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_alone_gives_every_decision_and_the_bits(language):
    for found in MANY[language][:400]:
        read, reader = parse(found.text, language)
        assert read == found
        again = Following(reader.path)
        tell(Story(again, LANGUAGES[language], ROLES))
        assert again.text == found.text and again.odds == reader.odds
        assert math.isclose(found.bits, -math.log2(reader.probability), abs_tol=1e-6)


@pytest.mark.parametrize("change", [("barn", "tent"), ("Question", "Answer"), ("day", "night")])
def test_what_is_no_tale_is_not_read(change):
    text = next(found.text for found in MANY["en"] if all(word in found.text for word in ("barn", "day")))
    with pytest.raises(ValueError, match=r"fit|expected"):
        parse(text.replace(*change), "en")
    with pytest.raises(ValueError, match="the tale ends before ' And'"):
        parse(text + " And", "en")


@pytest.mark.parametrize(("language", "shortest", "longest"), [("en", 60, 400), ("zh", 90, 650)])
def test_lengths_and_variety(language, shortest, longest):
    texts = [found.text for found in MANY[language]]
    lengths = sorted(len(text.split()) if language == "en" else len(text) for text in texts)
    assert shortest <= lengths[0] and lengths[-1] <= longest and lengths[900] > 1.4 * lengths[100]
    assert len(set(texts)) == len(texts)
    assert len(set(re.findall(r"\w+", " ".join(texts).lower()))) < 500 or language == "zh"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_is_far_back_in_the_story_and_no_alternative_is_right(language):
    distances, kinds = [], set()
    for found in MANY[language]:
        assert found.answer not in found.alternatives and found.alternatives
        story, _, closing = found.text.rpartition("\n")
        assert found.question in closing and found.answer in closing
        told, core = story.lower(), found.answer.lower()
        core = re.sub(r"^((to|near|because|in|on|at|the) )+|^(在|因为)|^那.|(附近|里|上|下|只)$", "", core)
        at = told.rfind(core)
        assert at >= 0, found.text
        distances.append(len(story[at:].split()) if language == "en" else len(story) - at)
        kinds.add(re.sub(r"[A-Z]\w+|\b(red|blue|green|white|yellow|black)\b", "", found.question[:9]))
    far = sum(distance >= 20 for distance in distances)
    assert far > 0.75 * len(distances) and max(distances) <= (250 if language == "en" else 500)
    assert len(kinds) >= 5


def who_has(story: str) -> dict[str, str]:
    """Simulate the swaps of an English story, sentence by sentence: thing → its last owner."""
    holder = {}
    for sentence in re.split(r"(?<=[.?!\"]) |\n", story):
        if found := re.match(
            r"(?:But |For (?:her|his) birthday )?(\w+) (?:owned|had got|had) an? (\w+ \w+)\.", sentence
        ):
            holder[found[2]] = found[1]
        elif found := re.match(r"So (\w+) gave (\w+) the (\w+ \w+) and got the (\w+ \w+)\.", sentence):
            holder |= {found[3]: found[2], found[4]: found[1]}
        elif found := re.search(r"and (\w+) got the (\w+ \w+) and (\w+) got the (\w+ \w+)\.", sentence):
            holder |= {found[2]: found[1], found[4]: found[3]}
        elif found := re.match(r"So (\w+) got the (\w+ \w+)\.", sentence):
            holder[found[2]] = found[1]
        elif found := re.match(r"Now the (\w+ \w+) belonged to (\w+)\.", sentence):
            holder[found[1]] = found[2]
    return holder


def where_left(story: str) -> str:
    """Simulate the walk of an English story: the place in which the thing was laid down."""
    place = ""
    for sentence in story.replace("\n", " ").split(". "):
        if found := re.search(r"(?:went|walked|ran) to the (\w+)$", sentence):
            place = found[1]
        if re.search(r"down to tie a shoe|aside there to look", sentence):
            return place
    return ""


def test_the_answer_follows_from_the_story():
    asked = Counter()
    for found in generate(3000, 1):
        story, question = found.text.rpartition("\n")[0], found.question
        if match := re.match(r"Who had the (\w+ \w+) in the end\?", question):
            asked["who"] += 1
            assert who_has(story)[match[1]] == found.answer, found.text
        elif re.match(r"Where did \w+ leave the", question):
            asked["where"] += 1
            assert found.answer.endswith(f" {where_left(story)}"), found.text
        elif match := re.match(r"Why was (\w+) (\w+)\?", question):
            asked["why"] += 1
            (cause,) = re.findall(
                rf"{match[1]} (?:was|felt) {match[2]}(?: that day)?, because (.+?)\.", story
            )
            assert found.answer == f"Because {cause}"
        elif match := re.match(r"How many (?!times)(\w+) did", question):
            asked["how many"] += 1
            assert re.search(rf"(?:counted|saw) {found.answer.lower()} {match[1]}\.", story)
        elif match := re.match(r"Where did (\w+) hide\?", question):
            asked["hide"] += 1
            assert re.search(rf"{match[1]} hid {found.answer.lower()}\.", story)
    assert len(asked) == 5 and min(asked.values()) > 20


def test_both_languages_tell_and_ask_the_same():
    english, chinese = LANGUAGES["en"], LANGUAGES["zh"]
    assert english.wordings.keys() == chinese.wordings.keys()
    assert english.questions.keys() == chinese.questions.keys()
    for event, wordings in english.wordings.items():
        assert len(set(wordings)) == len(wordings) == len(set(chinese.wordings[event]))
        roles = [{mention.role for mention in mentions(w)} - {"a", "b", "c", "thing"} for w in wordings]
        assert roles.count(roles[0]) == len(roles), event


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_form_begins_like_that_of_another(language):
    for table in LANGUAGES[language].tables.values():
        names = sorted(str(entity) for entity in table.entities)
        assert not any(b.startswith(a) for a, b in pairwise(names))


def test_nobody_gives_what_he_does_not_hold():
    a, b, thing, place = (Entity("x", {"": name}) for name in "abtp")
    world = World()
    world.take(a, thing)
    with pytest.raises(ValueError, match="a holds t, so b cannot take it"):
        world.take(b, thing)
    world.give(a, thing, b)
    with pytest.raises(ValueError, match="a does not hold t"):
        world.put(a, thing, place)
    world.put(b, thing, place)
    assert world.place == {thing: place} and not world.holder


def test_more_documents_keep_the_earlier_ones():
    assert list(generate(5, 0)) == MANY["en"][:5] and tale(0, 999, "zh") == MANY["zh"][999]
    assert [found.language for found in generate(4, 0, "both")] == ["en", "zh", "en", "zh"]
    assert tale(1, 0, "en") != MANY["en"][0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_seed_same_bytes_in_any_process(language):
    program = (
        f"from gptgrid.corpus.tales.generate import tales; print('\\n'.join(tales(200, 0, {language!r})))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONUTF8": "1"}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert said.stdout.decode() == "\n".join(tales(200, 0, language)) + "\n"
    assert hashlib.sha256(said.stdout).hexdigest() == SHA256[language]
