"""The leakage figure is what comparing all grams gives."""

import random

import numpy as np
import pytest

from gptgrid.stages.corpus.preparing import leakage
from gptgrid.stages.corpus.preparing.leakage import measure_leakage, span_hashes
from gptgrid.text.documents import write_documents


def corpus(folder, train, test):
    folder.mkdir(exist_ok=True)
    write_documents(folder / "train-00000.parquet", train)
    write_documents(folder / "test-00000.parquet", test)
    return measure_leakage(folder, sum(map(len, test)))


def grams(text, length):
    units = text.lower().split() if length == 13 else "".join(text.lower().split())
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


@pytest.mark.parametrize("batch", [300, 2**18])
@pytest.mark.parametrize(
    ("letters", "joint", "length", "said"),
    [
        ([f"Word{i}é" for i in range(500)], " ", 13, "13-grams of words"),
        ([f"Word{i}" for i in range(500)], "\n\t ", 13, "13-grams of words"),
        ([chr(0x4E00 + i) for i in range(2000)], "", 50, "windows of 50 characters"),
    ],
)
def test_share_of_grams_is_that_of_the_slow_way(tmp_path, monkeypatch, batch, letters, joint, length, said):
    monkeypatch.setattr(leakage, "BATCH", batch)
    documents = texts(0, letters, 30, joint)
    train, test = documents[:18], [*documents[18:], documents[0].upper(), "short"]
    found = corpus(tmp_path, train, test)
    compared, share = slow(train, test, length)
    assert 0.2 < share < 0.95
    assert (found["grams"], found["compared"]) == (said, compared)
    assert found["share"] == pytest.approx(share, abs=1e-12)


def test_a_large_test_is_thinned_without_bias(tmp_path, monkeypatch):
    documents = texts(1, [f"w{i}" for i in range(500)], 400, " ")
    train, test = documents[:200], documents[200:]
    compared, share = slow(train, test, 13)
    monkeypatch.setattr(leakage, "COMPARED", 2**14)
    found = corpus(tmp_path, train, test)
    assert found["compared"] < compared / 8
    assert found["share"] == pytest.approx(share, abs=0.06)


def test_grams_never_cross_documents(tmp_path):
    words = [f"w{i}" for i in range(20)]
    train = [" ".join(words[:10]), " ".join(words[10:])]
    assert corpus(tmp_path, train, [" ".join(words)])["share"] == 0


def test_short_documents_have_no_grams_but_may_be_copies(tmp_path):
    found = corpus(tmp_path, ["a b", "c"], ["a b", "d", "e", "c"])
    assert (found["compared"], found["share"], found["documents"]) == (0, None, 0.5)


def test_the_hash_of_a_span_does_not_depend_on_its_place():
    units = np.array([5, 6, 7, 8, 5, 6, 7, 9], dtype=np.uint64)
    hashes = span_hashes(units, np.array([0, 4, 1, 5, 0]), np.array([3, 7, 3, 7, 4]))
    assert hashes[0] == hashes[1] and hashes[2] == hashes[3]
    assert len(set(hashes.tolist())) == 3
