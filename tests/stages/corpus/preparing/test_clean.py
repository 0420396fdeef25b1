"""Documents are normalized, and every drop is counted under its reason."""

import random
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from unicodedata import category, normalize

import pytest

from gptgrid.stages.corpus.preparing.clean import BEGINNING, Cleaner, normalized
from gptgrid.stages.corpus.preparing.near import shingles
from gptgrid.text import documents, rows
from gptgrid.text.documents import gather

SETTINGS = {"normalize": "none", "dedupe": "none", "similarity": 0.8, "min_chars": 0, "max_chars": None}


def cleaner(**keys):
    return Cleaner(SimpleNamespace(**{**SETTINGS, **keys}), Path("unused"))


@pytest.mark.parametrize(
    ("keys", "kept", "drops"),
    [
        ({}, ["ab", "ｆoo", "e\u0301", "é", "ab", " c "], {"empty": 2}),
        ({"dedupe": "exact"}, ["ab", "ｆoo", "e\u0301", "é", " c "], {"empty": 2, "duplicate": 1}),
        ({"normalize": "NFC", "dedupe": "exact"}, ["ab", "ｆoo", "é", " c "], {"empty": 2, "duplicate": 2}),
        ({"normalize": "NFKC"}, ["ab", "foo", "é", "é", "ab", " c "], {"empty": 2}),
        (
            {"min_chars": 2, "max_chars": 2, "dedupe": "exact"},
            ["ab", "e\u0301"],
            {"empty": 2, "min_chars": 1, "max_chars": 2, "duplicate": 1},
        ),
    ],
)
def test_clean(keys, kept, drops):
    documents = ["ab", "ｆoo", "e\u0301", "é", "", "ab", " \n\u3000\ufeff\u200b", " c "]
    cleaning = cleaner(**keys)
    assert list(cleaning.clean(documents)) == kept
    assert cleaning.facts(private=False)["dropped"] == drops


STORY = "once upon a time there was a small grey cat who lived in a barn near the old mill by the river and "
STORY += "every morning it went down to the water to look at the fish that swam there in the shallow places"


@pytest.mark.parametrize(
    ("text", "copy"),
    [
        (STORY, "duplicate"),
        (STORY.replace("morning", "evening"), "near-duplicate"),
        (STORY.upper() + "!", "near-duplicate"),
        (STORY[: len(STORY) // 2], None),
        ("话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。", None),
    ],
)
def test_nearly_equal_documents_are_copies_and_others_are_not(text, copy):
    cleaning = cleaner(dedupe="near", similarity=0.7)
    assert list(cleaning.clean([STORY, text])) == ([STORY] if copy else [STORY, text])
    assert cleaning.facts(private=False)["dropped"] == ({copy: 1} if copy else {})


def test_the_similarity_is_that_of_the_sets_of_shingles():
    """The slow obvious figure decides, up to the error of the estimate."""
    words = [f"w{i}" for i in range(100)]
    for changed in range(0, 40, 4):
        other = words[: 100 - changed] + [f"v{i}" for i in range(changed)]
        runs = [{tuple(text[i : i + 5]) for i in range(96)} for text in (words, other)]
        similarity = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
        if abs(similarity - 0.7) > 0.12:
            kept = list(cleaner(dedupe="near", similarity=0.7).clean([" ".join(words), " ".join(other)]))
            assert (len(kept) == 1) == (similarity > 0.7)


def test_chinese_is_compared_by_its_characters():
    text = "话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。及秦灭之后，楚汉分争，又并入于汉。"
    near = text.replace("七国", "六国")
    assert list(cleaner(dedupe="near", similarity=0.6).clean([text, near])) == [text]


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        ([f"{a} {sign} {b}" for a in range(9) for b in range(9) for sign in "+-*/"], None),
        (["***", "---", "!!!", "😀", "😂😂", "- - - - -", "+ + + + +"], None),
        (["x = 1", "x == 1", "x != 1", "x + 1", "(x)-1"], None),
        (["你好", "再见", "ខ្ញុំ", "ខ្ញុំ ញ៉ាំ", "नमस्ते"], None),
        ([f"line {i} of a text" for i in range(50)], None),
        (["OK!", "ok.", "“OK”", "no"], 2),
        (["床前明月光，", "床前明月光。", "疑是地上霜。"], 2),
    ],
)
def test_only_the_same_short_documents_are_copies(texts, kept):
    """Documents without letters and digits were all one, and signs did not tell others apart."""
    assert len(list(cleaner(dedupe="near").clean(texts))) == (len(texts) if kept is None else kept)


def test_examples_of_what_was_dropped_are_not_shown_of_private_text():
    cleaning = cleaner(min_chars=5)
    assert not list(cleaning.clean(["abc", "abd"]))
    assert cleaning.facts(private=False)["dropped_examples"] == {"min_chars": "abc"}
    assert cleaning.facts(private=True)["dropped_examples"] == {}


@pytest.mark.parametrize(
    "text", ["", "a", "!?", "a b c d", "a b c d e", "the old mill 话说天下 by the river. " * 30]
)
@pytest.mark.parametrize("size", [6, 10, 100])
def test_shingles_are_those_of_the_whole_text(monkeypatch, text, size):
    whole = set(shingles(text))
    monkeypatch.setattr(documents, "PART", size)
    assert set(shingles(text)) == whole and whole


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_long_texts_are_normalized_as_wholes(monkeypatch, tmp_path, form, length):
    """Accents and parts of syllables that are in the next row change what is before them, and their order."""
    monkeypatch.setattr(rows, "LENGTH", length)
    monkeypatch.setattr(rows, "ROW_LENGTH", length)
    letters = "eé\u0301\u0323\u0344a\u1112\u1161\u11ab한가ｶ\uff9e天 x\u0fb2\u0f71\u0f80\u09c7\u09be😀Åﬁ\u0958"
    for seed in range(40):
        text = "".join(random.Random(seed).choices(letters, k=30))
        assert str(normalized(gather([text], tmp_path), form, tmp_path)) == normalize(form, text)


def test_nothing_before_a_beginning_changes_with_it():
    """Of no character that may begin a part does a normal form depend on what is before."""
    before = [*"eaAク\u0323\u0345", "\u1112\u1161", "\u0f71", "\u09c7"]
    for letter in map(chr, chain(range(0x3400), range(0xA000, 0xD800), range(0xF900, 0x20000))):
        if BEGINNING.match(letter) and category(letter) != "Cn":
            for form in ("NFC", "NFKC"):
                assert all(
                    normalize(form, f"{some}{letter}") == normalize(form, some) + normalize(form, letter)
                    for some in before
                )
