"""Tales are decided by seed and index, on every machine alike, and have the promised lengths."""

import hashlib
import os
import re
import subprocess
import sys

import pytest

from gptgrid.stages.corpus.builtin.tales.generate import generator_bpb, tales
from gptgrid.stages.corpus.sources.builtin import open_tales

LANGUAGES = ("en", "zh", "both")
MANY = {language: list(tales(1500, 0, language)) for language in LANGUAGES}
SHA256 = {
    "en": "c41fe455964c4e181832603648b5b5021873f33f1caa7a4c50527470aae8448b",
    "zh": "3c086a72c96dd8eb130531f7790ddb09220c339b702eb0d60eef01f04ba4c98c",
    "both": "85a4ae3b5b71cb959b003720444e592801317990dfea394c969837ca9a8e6ca7",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_seed_same_bytes(language):
    data = "\n".join(f"{tale.text} {tale.bits}" for tale in MANY[language]).encode()
    assert hashlib.sha256(data).hexdigest() == SHA256[language]


def test_another_process_with_another_hash_seed_tells_the_same():
    program = "from gptgrid.stages.corpus.builtin.tales.generate import tales\nprint([t.text for t in tales(50, 0, 'both')])"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert told.stdout.decode().rstrip() == str([tale.text for tale in MANY["both"][:50]])


@pytest.mark.parametrize("language", LANGUAGES)
def test_fewer_documents_are_the_first_of_more(language):
    assert list(tales(7, 0, language)) == MANY[language][:7]
    assert next(tales(1, 1, language)) != MANY[language][0]


@pytest.mark.parametrize(("language", "least", "most"), [("en", 60, 400), ("zh", 90, 650)])
def test_lengths(language, least, most):
    lengths = [len(tale.text.split() if language == "en" else tale.text) for tale in MANY[language]]
    assert least <= min(lengths) and max(lengths) <= most
    assert max(lengths) > 3 * min(lengths)


@pytest.mark.parametrize(("language", "least", "most"), [("en", 20, 200), ("zh", 30, 330)])
def test_answers_must_be_remembered(language, least, most):
    distances = [tale.distance for tale in MANY[language]]
    assert least <= min(distances) and max(distances) <= most
    assert sorted(distances)[len(distances) // 2] > 2 * least


def test_both_languages_come_up_and_cost_a_bit():
    assert 600 < sum(tale.language == "zh" for tale in MANY["both"]) < 900


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_are_all_different_and_well_formed(language):
    texts = [tale.text for tale in MANY[language]]
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert not re.search(r"[{}<>]|  |None|\b[Aa] [aeiou]|\b[Aa]n [^aeiou]|(?<![十第])二", text), text
        assert len(text.split("\n")) >= 4
        *_, last = text.split("\n")
        assert re.fullmatch(r"Question: .+\? Answer: .+\.|问题：.+？答案：.+。", last)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_question_and_answer_close_the_text(language):
    for tale in MANY[language]:
        *_, last = tale.text.split("\n")
        assert tale.question in last and tale.text.endswith(tale.answer)
        assert tale.alternatives and tale.answer not in tale.alternatives
        assert len(set(tale.alternatives)) == len(tale.alternatives)


def test_the_generator_needs_the_share_of_bits_in_bytes():
    few = MANY["zh"][:3]
    data = "".join(tale.text for tale in few).encode()
    assert generator_bpb(few) == pytest.approx(sum(tale.bits for tale in few) / len(data))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_corpus_has_the_language_asked_for(make_job, language):
    source = open_tales(make_job(source="builtin", name="tales", documents=9, seed=0, language=language))
    assert list(source.parts["all"]) == [tale.text for tale in MANY[language][:9]]


def test_vocabulary_is_small():
    words = {word.lower() for tale in MANY["en"] for word in re.findall(r"\w+", tale.text)}
    assert 300 <= len(words) <= 500
    assert len({character for tale in MANY["zh"] for character in tale.text}) <= 550
