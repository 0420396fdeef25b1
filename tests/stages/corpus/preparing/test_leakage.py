"""The leakage figure is what comparing all grams gives."""

import random
import re

import numpy as np
import pytest

from gptgrid.stages.corpus.preparing import grams as runs
from gptgrid.stages.corpus.preparing import leakage, near_copies
from gptgrid.stages.corpus.preparing.grams import runs_of
from gptgrid.stages.corpus.preparing.leakage import measure_documents, measure_texts
from gptgrid.text import documents
from gptgrid.text.documents import write_documents


def write(folder, train, test, valid=("nothing else",)):
    folder.mkdir(exist_ok=True)
    for split, texts in {"train": train, "valid": valid, "test": test}.items():
        write_documents(folder / f"{split}-00000.parquet", texts)


def corpus(folder, train, test, valid=("nothing else",)):
    write(folder, train, test, valid)
    return measure_texts(folder, {"valid": sum(map(len, valid)), "test": sum(map(len, test))})


def grams(text, length):
    text = re.sub(r"[.,;!-]", " ", text).casefold()
    units = text.split() if length == 13 else "".join(text.split())
    return [tuple(units[i : i + length]) for i in range(len(units) - length + 1)]


def slow(train, test, length):
    seen = {gram for text in train for gram in grams(text, length)}
    found = [gram in seen for text in test for gram in grams(text, length)]
    return len(found), sum(found) / len(found)


def texts(seed, letters, number, joint):
    """Return documents that share passages."""
    source = random.Random(seed)
    passages = [joint.join(source.choices(letters, k=70)) for _ in range(40)]
    return [joint.join(source.choices(passages, k=3)) for _ in range(number)]


@pytest.mark.parametrize("batch", [70, 300, 2**18])
@pytest.mark.parametrize(
    ("letters", "joint", "length", "said"),
    [
        ([f"Word{i}é" for i in range(500)], " ", 13, "13-grams of words"),
        ([f"Word{i}" for i in range(500)], "\n\t ", 13, "13-grams of words"),
        ([f"word{i}" for i in range(500)], " - ", 13, "13-grams of words"),
        ([chr(0x4E00 + i) for i in range(2000)], "", 50, "windows of 50 characters"),
    ],
)
def test_share_of_grams_is_that_of_the_slow_way(tmp_path, monkeypatch, batch, letters, joint, length, said):
    monkeypatch.setattr(runs, "PART", batch)
    monkeypatch.setattr(documents, "PART", batch)
    everything = texts(0, letters, 30, joint)
    train, test = everything[:18], [*everything[18:], everything[0].upper(), "short"]
    found = corpus(tmp_path, train, test, valid=everything[10:20])
    compared, share = slow(train, test, length)
    assert 0.2 < share < 0.95
    assert (found["grams"], found["compared"]) == (said, compared)
    assert found["share"] == pytest.approx(share, abs=1e-12)
    compared, share = slow(train, everything[10:20], length)
    assert (found["valid_compared"], found["valid_share"]) == (compared, pytest.approx(share, abs=1e-12))


def test_a_large_test_is_thinned_without_bias(tmp_path, monkeypatch):
    everything = texts(1, [f"w{i}" for i in range(500)], 400, " ")
    train, test = everything[:200], everything[200:]
    compared, share = slow(train, test, 13)
    monkeypatch.setattr(leakage, "COMPARED", 2**14)
    found = corpus(tmp_path, train, test)
    assert found["compared"] < compared / 7
    assert found["share"] == pytest.approx(share, abs=0.06)


def test_grams_never_cross_documents(tmp_path):
    words = [f"w{i}" for i in range(20)]
    train = [" ".join(words[:10]), " ".join(words[10:])]
    assert corpus(tmp_path, train, [" ".join(words)])["share"] == 0


def test_case_blanks_and_punctuation_do_not_hide_a_passage(tmp_path):
    words = [f"w{i}" for i in range(20)]
    found = corpus(tmp_path, [", ".join(words).upper()], ["\n".join(words) + " ."])
    assert found["share"] == 1


def test_letters_that_change_words_are_not_the_same_passage(tmp_path):
    """A sum over all letters let `the of` equal `toe hf`."""
    tail = " ".join(f"w{i}" for i in range(11))
    assert corpus(tmp_path, [f"the of {tail}"], [f"toe hf {tail}"])["share"] == 0
    words = f"one two {tail}".split()
    for i in range(len(words) - 1):
        swapped = [*words[:i], words[i + 1], words[i], *words[i + 2 :]]
        assert corpus(tmp_path, [" ".join(words)], [" ".join(swapped)])["share"] == 0


def test_short_documents_have_no_grams(tmp_path):
    found = corpus(tmp_path, ["a b", "c"], ["a b", "d", "e", "c"])
    assert (found["compared"], found["share"]) == (0, None)


HAN = [chr(0x4E00 + i) for i in range(3000)]


def test_each_script_of_a_split_has_its_own_passages(tmp_path):
    """One unit for the whole split left Chinese paragraphs in an English test unseen."""
    han, english = "".join(HAN[:150]), [f"word{i}" for i in range(200)]
    train, rest = [han, " ".join(english[:100])], " ".join(english[100:])
    found = corpus(tmp_path / "two", train, [f"{han}x", rest], valid=[f"{han} x {rest}"])
    assert found["grams"] == "13-grams of words and windows of 50 characters"
    assert (found["compared"], found["share"]) == (102 + 88, 101 / (102 + 88))
    # Where a text goes on, a window may start with every character.
    assert (found["valid_compared"], found["valid_share"]) == (150 + 89, 101 / (150 + 89))


def twins(units, number, length, joint):
    """Return documents, and the same with the unit in the middle changed."""
    whole = [units[i * length : (i + 1) * length] for i in range(number)]
    changed = [
        [*text[: length // 2], "changed" if joint else "改", *text[length // 2 + 1 :]] for text in whole
    ]
    return [joint.join(text) for text in whole], [joint.join(text) for text in changed]


@pytest.mark.parametrize("batch", [70, 300, 2**18])
@pytest.mark.parametrize("length", [8, 10, 15, 16, 24, 60, 300])
@pytest.mark.parametrize("joint", [" ", ""])
def test_documents_with_one_word_changed_are_near_copies(tmp_path, monkeypatch, batch, length, joint):
    monkeypatch.setattr(runs, "PART", batch)
    monkeypatch.setattr(documents, "PART", batch)
    length += 2 * (not joint)
    units = [f"word{i}" if joint else chr(0x4E00 + i) for i in range(20 * length)]
    whole, changed = twins(units, 20, length, joint)
    # A train document has more than a copy, and none has parts of two.
    found = corpus(tmp_path, [f"{text} and more" for text in whole[:10]], changed[5:])["near_copies"]
    assert found["test in train"]["documents"] == 15
    assert found["test in train"]["share"] == 1 / 3
    assert found["test in train"]["size_share"] == pytest.approx(1 / 3, abs=0.03)
    assert found["valid in train"] == {"documents": 0, "share": 0, "size_share": 0}


@pytest.mark.parametrize("compared", [2**20, 2**6])
@pytest.mark.parametrize(("rest", "share"), [(0, 1), (30, 1), (200, 0)])
def test_what_is_put_together_of_many_documents_is_a_near_copy(tmp_path, monkeypatch, rest, share, compared):
    """Texts of one kind share phrases, each with a different text; but not nearly all of their phrases.

    Of a large split, the thinned passages of a document were too few to tell.
    """
    monkeypatch.setattr(leakage, "COMPARED", compared)
    words = [f"w{i}" for i in range(8000)]
    train = [" ".join(words[i : i + 100]) for i in range(0, 4000, 100)]
    test = [" ".join(words[i : i + 400] + words[4000 + i : 4000 + i + rest]) for i in range(0, 4000, 400)]
    assert corpus(tmp_path, train, test)["near_copies"]["test in train"]["share"] == share


@pytest.mark.parametrize("batch", [70, 300, 2**18])
@pytest.mark.parametrize("joint", [" ", ""])
@pytest.mark.parametrize("length", [4, 8, 16, 40])
def test_paragraphs_of_lines_are_near_copies(tmp_path, monkeypatch, batch, joint, length):
    """Passages across the lines are new, and a line has none or few."""
    monkeypatch.setattr(runs, "PART", batch)
    monkeypatch.setattr(documents, "PART", batch)
    units = [f"w{i}" if joint else chr(0x4E00 + i) for i in range(200 * length)]
    lines = [joint.join(units[i : i + length]) for i in range(0, len(units), length)]
    lines, others = lines[:100], lines[100:]
    source = random.Random(0)
    mixed = [[*source.sample(lines, 6), *source.sample(others, number)] for number in (0, 1, 2, 0, 6)]
    test = [(joint + ("." if joint else "。")).join(source.sample(some, len(some))) for some in mixed]
    found = corpus(tmp_path, lines, test)["near_copies"]["test in train"]
    assert (found["documents"], found["share"]) == (5, 3 / 5)


def test_parts_of_lines_are_no_wholes(tmp_path):
    words = [f"w{i}" for i in range(800)]
    lines = [" ".join(words[i : i + 8]) for i in range(0, 800, 8)]
    random.Random(0).shuffle(lines)
    shifted = [" ".join(words[i : i + 4] + words[i + 20 : i + 24]) for i in range(2, 700, 8)]
    test = [" ".join(shifted[i : i + 6]) for i in range(0, 60, 6)]
    assert corpus(tmp_path, lines, test)["near_copies"]["test in train"]["share"] == 0


def test_zeros_in_a_text_are_no_ends_of_documents(tmp_path):
    text = " ".join(f"w{i}" for i in range(30))
    found = corpus(tmp_path, ["other \0 text", text], [f"\0 {text} \0 a \0", "\0"])
    assert (found["compared"], found["share"]) == (19, 18 / 19)
    assert found["near_copies"]["test in train"]["documents"] == 1
    assert found["near_copies"]["test in train"]["share"] == 1


def test_short_phrases_are_compared_as_wholes_alone(tmp_path):
    """Phrases of fewer than six words were counted as compared, and never found."""
    train, test = (
        ["to be or not.", "that is the question", "不以物喜，"],
        ["To be or not!", "to be or not to", "不以物喜。"],
    )
    none = {"documents": 0, "share": 0, "size_share": 0}
    assert corpus(tmp_path, train, test)["near_copies"]["test in train"] == none
    assert measure_documents(tmp_path)["documents"]["test in train"]["documents"] == 2


def test_the_share_of_the_bytes_is_that_of_all_documents(tmp_path):
    long = " ".join(f"w{i}" for i in range(20))
    found = corpus(tmp_path, [f"{long} x"], [long, "a" * len(long)])["near_copies"]["test in train"]
    assert found == {"documents": 1, "share": 1, "size_share": 0.5}


def test_of_a_large_split_some_documents_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(near_copies, "DOCUMENTS", 2**8)
    monkeypatch.setattr(near_copies, "AT_ONCE", 100)
    whole, changed = twins([f"w{i}" for i in range(40_000)], 2000, 20, " ")
    found = corpus(tmp_path, whole[:1000], changed)["near_copies"]["test in train"]
    assert 400 < found["documents"] < 600
    assert found["share"] == pytest.approx(0.5, abs=0.1)


def test_documents_that_come_back_in_their_split_are_counted(tmp_path):
    write(tmp_path, ["a"], test=["b b", "c", "B  B", "b b"], valid=["b b", "d"])
    assert measure_documents(tmp_path)["repeats"] == {
        "valid": {"documents": 0, "share": 0, "size_share": 0},
        "test": {"documents": 2, "share": 0.5, "size_share": 7 / 11},
    }


def test_documents_are_compared_as_wholes(tmp_path):
    train = ["a b", "Some  text\nhere", "5 - 3"]
    write(tmp_path, train, test=["A B", "other", "ab", "5 * 3"], valid=["some text here", "other", "new"])
    found = measure_documents(tmp_path)["documents"]
    assert found["test in train"] == {"documents": 1, "share": 0.25, "size_share": 3 / 15}
    assert found["valid in train"] == {"documents": 1, "share": 1 / 3, "size_share": 14 / 22}
    assert found["test in valid"] == {"documents": 1, "share": 0.25, "size_share": 5 / 15}


@pytest.mark.parametrize("joint", [" ", "\n", ""])
def test_long_documents_are_compared_as_wholes(tmp_path, monkeypatch, joint):
    monkeypatch.setattr(documents, "PART", 50)
    text = joint.join(f"word{i}" for i in range(200))
    write(tmp_path, [text.upper()], test=[text], valid=[f"{text}x"])
    found = measure_documents(tmp_path)["documents"]
    assert (found["test in train"]["share"], found["valid in train"]["share"]) == (1, 0)


def test_the_hash_of_a_run_does_not_depend_on_its_place():
    units = np.array([5, 6, 7, 8, 5, 6, 7, 9, 7, 6, 5], dtype=np.uint64)
    for length in range(1, 12):
        hashes = runs_of(units, length)
        runs = [tuple(units[i : i + length]) for i in range(len(units) - length + 1)]
        assert len(hashes) == len(runs)
        assert (
            len(set(zip(runs, hashes.tolist(), strict=True))) == len(set(runs)) == len(set(hashes.tolist()))
        )
    assert not len(runs_of(units, 12)) and not len(runs_of(units, 50))
