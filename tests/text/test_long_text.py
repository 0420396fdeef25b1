"""A text too long for the memory is read from the disk in parts, and is the same text."""

import json
import random
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

from gptgrid.text import rows
from gptgrid.text.documents import DocumentWriter, gather, read_documents, stream_documents, write_documents
from gptgrid.text.long_text import LongText, count, pieces_of, recut
from gptgrid.text.rows import read_texts

LETTERS = "ab \n\u0301é天😀"
TEXTS = ["short", "", "".join(random.Random(1).choices(LETTERS, k=100)), "x" * 7, "y" * 8, "天" * 21]


@pytest.fixture(autouse=True)
def rows_of_seven(monkeypatch):
    monkeypatch.setattr(rows, "LENGTH", 7)
    monkeypatch.setattr(rows, "ROW_LENGTH", 7)


def test_files_name_the_rows_of_a_long_text(tmp_path):
    path = tmp_path / "train-00000.parquet"
    write_documents(path, TEXTS)
    metadata = pq.read_metadata(path).metadata
    assert "".join(pq.read_table(path)["text"].to_pylist()) == "".join(TEXTS)
    assert json.loads(metadata[b"gptgrid.long_documents"]) == {
        "2": [7] * 14 + [2],
        "18": [7, 1],
        "20": [7, 7, 7],
    }
    assert list(read_documents(tmp_path, "train")) == TEXTS
    streamed = list(stream_documents(tmp_path, "train"))
    assert [isinstance(text, LongText) for text in streamed] == [len(text) > 7 for text in TEXTS]
    for text, expected in zip(streamed, TEXTS, strict=True):
        assert (str(text), len(text), bool(text)) == (expected, len(expected), bool(expected))
        assert list(pieces_of(text)) == list(pieces_of(text)) and max(map(len, pieces_of(text))) <= 7


def test_without_long_texts_files_name_no_rows(tmp_path):
    write_documents(tmp_path / "a.parquet", ["one", "two"] * 5)
    assert set(pq.read_metadata(tmp_path / "a.parquet").metadata) == {b"ARROW:schema"}
    with DocumentWriter(tmp_path / "ids.parquet", ids=True) as writer:
        writer.add(np.arange(20, dtype=np.uint32))
    assert pq.read_metadata(tmp_path / "ids.parquet").num_rows == 1


def test_rows_depend_on_the_text_alone(tmp_path):
    """Not on where it lay before: a slice of another text, in other rows."""
    text = "".join(random.Random(2).choices(LETTERS, k=60))
    write_documents(tmp_path / "one.parquet", [text[5:]])
    write_documents(tmp_path / "two.parquet", [gather(text, tmp_path)[5:]])
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_slices_are_those_of_the_string(tmp_path):
    text = "".join(random.Random(3).choices(LETTERS, k=50))
    long = gather([text], tmp_path)
    for start in (None, 0, 1, 7, 13, 49, 50, 99, -1, -8):
        for stop in (None, 0, 1, 7, 8, 30, 50, 99, -1):
            piece = long[start:stop]
            assert str(piece) == text[start:stop] and len(piece) == len(text[start:stop])
            assert isinstance(piece, str) == (len(piece) <= 7)
            for low, high in pairwise((0, 3, 9, 60)):
                assert str(piece[low:high]) == text[start:stop][low:high]


def test_what_is_gathered_is_on_the_disk_while_it_is_in_use(tmp_path):
    assert gather([], tmp_path) == "" and gather(["abc", "defg"], tmp_path) == "abcdefg"
    texts = [gather(["abc", "", "defghij" * number], tmp_path) for number in (1, 2)]
    assert list(map(str, texts)) == ["abcdefghij", "abcdefghijdefghij"]
    assert not list(tmp_path.iterdir())


def test_one_row_at_a_time_is_read(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        "gptgrid.text.long_text.read_texts", lambda file, group: read.append(group) or read_texts(file, group)
    )
    text = gather(["x" * 100], tmp_path)
    assert not read
    next(iter(text[30:]))
    assert read == [4]


@pytest.mark.parametrize("length", [1, 2, 5, 100])
def test_recut(length):
    for text in TEXTS:
        for size in (1, 3, 100):
            pieces = [text[start : start + size] for start in range(0, len(text), size)]
            found = list(recut(pieces, length))
            assert "".join(found) == text and all(len(piece) == length for piece in found[:-1])


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_words_are_counted_across_borders(monkeypatch, tmp_path, size):
    monkeypatch.setattr(rows, "LENGTH", size)
    monkeypatch.setattr(rows, "ROW_LENGTH", size)
    text = "<|e|><|e|> <|e|" + "x<|e|>" * 5
    for word in ("<|e|>", "x", "none"):
        assert count(gather([text], tmp_path), word) == text.count(word)
