"""The leakage figure is what comparing all grams gives."""

import random
import re

import numpy as np
import pytest

from gptgrid.stages.corpus.preparing import leakage
from gptgrid.stages.corpus.preparing.leakage import measure_documents, measure_passages, runs_of
from gptgrid.text import documents
from gptgrid.text.documents import write_documents


def write(folder, train, test, valid=("nothing else",)):
    folder.mkdir(exist_ok=True)
    for split, texts in {"train": train, "valid": valid, "test": test}.items():
        write_documents(folder / f"{split}-00000.parquet", texts)


def corpus(folder, train, test, valid=("nothing else",)):
    write(folder, train, test, valid)
    return measure_passages(folder, {"valid": sum(map(len, valid)), "test": sum(map(len, test))})


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
    monkeypatch.setattr(leakage, "PART", batch)
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


def test_documents_are_compared_as_wholes(tmp_path):
    train = ["a b", "Some  text\nhere", "5 - 3"]
    write(tmp_path, train, test=["A B", "other", "ab", "5 * 3"], valid=["some text here", "other", "new"])
    found = measure_documents(tmp_path)
    assert found["test in train"] == {"documents": 1, "share": 0.25, "size_share": 3 / 15}
    assert found["valid in train"] == {"documents": 1, "share": 1 / 3, "size_share": 14 / 22}
    assert found["test in valid"] == {"documents": 1, "share": 0.25, "size_share": 5 / 15}


@pytest.mark.parametrize("joint", [" ", "\n", ""])
def test_long_documents_are_compared_as_wholes(tmp_path, monkeypatch, joint):
    monkeypatch.setattr(documents, "PART", 50)
    text = joint.join(f"word{i}" for i in range(200))
    write(tmp_path, [text.upper()], test=[text], valid=[f"{text}x"])
    found = measure_documents(tmp_path)
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
