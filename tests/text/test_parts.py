"""A long text is looked at in parts, and documents go through a file, as they would in one."""

import random
import re
from itertools import accumulate

import pyarrow as pa
import pytest

from gptgrid.text import documents, rows
from gptgrid.text.documents import (
    Counts,
    DocumentWriter,
    first_characters,
    gather,
    is_blank,
    parts,
    stream_file,
)

TEXTS = [
    "",
    "x",
    " ",
    "one two  three\nfour " * 20,
    "天地玄黄" * 50,
    "a" * 100,
    "a b " * 3 + "é" * 40 + "😀 \x1c x",
]


@pytest.fixture(params=[None, 3, 50])
def read(request, monkeypatch, tmp_path):
    """Return a function: string → the text as it is read, long ones in rows of some characters."""
    if request.param is None:
        return lambda text: text
    monkeypatch.setattr(rows, "LENGTH", request.param)
    monkeypatch.setattr(rows, "ROW_LENGTH", request.param)
    return lambda text: gather([text], tmp_path)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("border", [r"\s", "", "o"])
def test_parts_end_at_a_border_and_what_is_longer_is_cut_by_itself(monkeypatch, read, text, size, border):
    monkeypatch.setattr(documents, "PART", size)
    found = list(parts(read(text), re.compile(border)))
    assert "".join(found) == text and all(found)
    places = set(accumulate(map(len, found[:-1])))
    expected = set()
    for between in re.finditer(f"(?s)(?:(?!{border}).)+" if border else "(?!)", text):
        if len(between[0]) > size:
            expected |= set(range(between.start(), between.end(), size)) - {0}
        else:
            assert places.isdisjoint(range(between.start() + 1, between.end()))
    assert expected <= places
    ends = {match.end() for match in re.finditer(border, text)}
    assert places <= expected | ends
    assert all(len(part) <= 2 * size + 1 for part in found)
    if border == "":
        assert all(len(part) == size for part in found[:-1])


@pytest.mark.parametrize("before", ["", "x ", "some words " * 9, " " * 30])
def test_a_word_is_cut_alike_wherever_it_stands(monkeypatch, read, before):
    monkeypatch.setattr(documents, "PART", 10)
    for length in (9, 10, 11, 20, 21, 35):
        word = "abcdefghijklm" * 3
        text = read(f"{before}{word[:length]} and more")
        cut = [part for part in parts(text) if part.strip() and part.strip() in word]
        if length > 10:
            assert [part.strip() for part in cut if len(part) > 4][: length // 10] == [
                word[start : start + 10] for start in range(0, length // 10 * 10, 10)
            ]
        else:
            assert any(word[:length] in part for part in parts(text))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_counts_do_not_depend_on_parts(monkeypatch, read, size):
    monkeypatch.setattr(documents, "PART", size)
    counts = Counts()
    for text in TEXTS:
        counts.add(read(text))
    assert (counts.documents, counts.characters) == (len(TEXTS), sum(map(len, TEXTS)))
    assert counts.bytes == sum(len(text.encode()) for text in TEXTS)
    assert counts.newlines == sum(text.count("\n") for text in TEXTS)
    assert counts.words == sum(len(text.split()) for text in TEXTS)
    assert counts.spaceless == 200


def test_documents_come_back_as_they_were_whatever_their_length(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "LENGTH", 50)
    monkeypatch.setattr(rows, "ROW_LENGTH", 50)
    for name in ("one.parquet", "two.parquet"):
        with DocumentWriter(tmp_path / name) as writer:
            for text in TEXTS:
                writer.add(text)
    assert list(map(str, stream_file(tmp_path / "one.parquet"))) == TEXTS
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_what_lies_packed_on_the_disk_is_not_kept_beside_the_texts(tmp_path):
    path, before = tmp_path / "one.parquet", pa.total_allocated_bytes()
    with DocumentWriter(path) as writer:
        writer.add("".join(random.Random(0).choices("abcdefghijklmnop", k=1_000_000)))
    texts = stream_file(path)
    assert len(next(texts)) == 1_000_000
    assert pa.total_allocated_bytes() - before < 100_000


@pytest.mark.parametrize("number", [1, 4, 7, 30])
def test_first_characters_are_cut_exactly(read, number):
    documents = map(read, ["abc", "defg", "hij"])
    assert "".join(first_characters(documents, number)) == "abcdefghij"[:number]


def test_what_is_blank(read):
    for text in ("", " " * 60, "\n\u200b\x1a" * 40):
        assert is_blank(read(text))
        assert not is_blank(read(f"{text}x")) and not is_blank(read(f"x{text}"))
