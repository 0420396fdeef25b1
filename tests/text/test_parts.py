"""A long text is looked at in parts, and documents go through a file, as they would in one."""

import random
import re

import pyarrow as pa
import pytest

from gptgrid.text import documents
from gptgrid.text.documents import ANYWHERE, WHITE, Counts, DocumentWriter, first_characters, parts, read_file

TEXTS = [
    "",
    "x",
    " ",
    "one two  three\nfour " * 20,
    "天地玄黄" * 50,
    "a" * 100,
    "a b " * 3 + "é" * 40 + "😀 \x1c x",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("border", [WHITE, ANYWHERE, re.compile("o")])
def test_parts_are_the_text_and_end_at_a_border(monkeypatch, text, size, border):
    monkeypatch.setattr(documents, "PART", size)
    found = list(parts(text, border))
    assert "".join(found) == text and all(found)
    assert all(len(part) >= size for part in found[:-1])
    if border is WHITE:
        assert all(part[-1].isspace() for part in found[:-1])
    if border is ANYWHERE:
        assert all(len(part) == size for part in found[:-1])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_counts_do_not_depend_on_parts(monkeypatch, size):
    monkeypatch.setattr(documents, "PART", size)
    counts = Counts()
    for text in TEXTS:
        counts.add(text)
    assert counts.words == sum(len(text.split()) for text in TEXTS)
    assert counts.spaceless == 200


def test_documents_come_back_as_they_were_whatever_their_length(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LENGTH", 50)
    for name in ("one.parquet", "two.parquet"):
        with DocumentWriter(tmp_path / name) as writer:
            for text in TEXTS:
                writer.add(text)
    assert list(read_file(tmp_path / "one.parquet")) == TEXTS
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_what_lies_packed_on_the_disk_is_not_kept_beside_the_texts(tmp_path):
    path, before = tmp_path / "one.parquet", pa.total_allocated_bytes()
    with DocumentWriter(path) as writer:
        writer.add("".join(random.Random(0).choices("abcdefghijklmnop", k=1_000_000)))
    texts = read_file(path)
    assert len(next(texts)) == 1_000_000
    assert pa.total_allocated_bytes() - before < 100_000


@pytest.mark.parametrize("number", [1, 4, 7, 30])
def test_first_characters_are_cut_exactly(number):
    assert "".join(first_characters(["abc", "defg", "hij"], number)) == "abcdefghij"[:number]
