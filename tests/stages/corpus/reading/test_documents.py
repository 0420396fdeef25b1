"""Documents are cut where the configuration says, and keep what is inside them."""

import time
from collections import Counter

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.documents import as_lines, between_gaps, check_delimiter, cut
from gptgrid.text import rows
from gptgrid.text.long_text import LongText


@pytest.mark.parametrize(
    ("text", "document", "expected"),
    [
        ("a\n\nb\n", "whole", ["a\n\nb\n"]),
        ("a\nb\n", "line", ["a", "b"]),
        ("a\n\nb", "line", ["a", "", "b"]),
        ("a\x0cb\u2028c\x00\n", "line", ["a\x0cb\u2028c\x00"]),
        ("\n \na\nb\n\n\t\n\u3000\n  c\n\n", "blank-line", ["a\nb", "  c"]),
        ("a\n", "blank-line", ["a"]),
        ("\ufeff\na\n\u200b \nb\n\x1a\n", "blank-line", ["a", "b"]),
        ("a\u2028b\u2029c\u2028\u2028 d\u2028 \u2028\u2028e\n", "blank-line", ["a\u2028b", "c", " d", "e"]),
        ("a\n<|e|>\nb<|e|>", "<|e|>", ["a\n", "\nb"]),
        ("a<|e|><|e|>b", "<|e|>", ["a", "b"]),
        ("one\nlines\ntwo lines", "\nlines\n", ["one", "two lines"]),
        ("one\n---\ntwo", "\r\n---\r\n", ["one", "two"]),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("length", [1, 3, 1000])
def test_cut(text, document, expected, block, length, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "LENGTH", length)
    monkeypatch.setattr(rows, "ROW_LENGTH", length)
    blocks = [text[start : start + block] for start in range(0, len(text), block)]
    counts = Counter()
    assert list(map(str, cut(iter(blocks), document, counts, tmp_path))) == expected
    assert counts["delimiters"] == (text.count(document.replace("\r", "")) if document[0] in "<\n\r" else 0)


@pytest.mark.parametrize(
    ("text", "delimiter", "expected", "number"),
    [
        ("---\none\n---\ntwo\n---\n", "\n---\n", ["one", "two"], 3),
        ("---\none\n---\ntwo\n---", "\n---\n", ["one", "two"], 3),
        ("one\n---\n---\n---\ntwo\n", "\n---\n", ["one", "two\n"], 3),
        ("\n---\none\n---\n\n---\ntwo", "\n---\n", ["one", "two"], 3),
        ("----\none ---\n--- two\n----", "\n---\n", ["----\none ---\n--- two\n----"], 0),
        ("---", "\n---\n", [], 1),
        ("---\n---", "\n---\n", [], 2),
        ("a-\n-\n-", "-\n-\n", ["a", "-"], 1),
        ("", "\n---\n", [], 0),
        ("\n\n", "\n---\n", ["\n\n"], 0),
        ("---one\n---two", "\n---", ["one", "two"], 2),
        ("one---\ntwo---\n\nthree---", "---\n", ["one", "two", "\nthree"], 3),
        ("a\n\n\nb\n\n", "\n\n\n", ["a", "b\n\n"], 1),
        ("a\nb", "\n", ["a", "b"], 1),
        ("---\n\na\n\n---\n\n---\n\nb\nc\n\n---", "\n\n---\n\n", ["a", "b\nc"], 4),
        ("\n\na\n---\n\n\n---\n\n\nb\n\n---\n", "\n\n---\n\n", ["\n\na\n---\n", "\nb"], 2),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("length", [1, 3, 1000])
def test_the_ends_of_a_text_are_ends_of_lines(
    text, delimiter, expected, number, block, length, tmp_path, monkeypatch
):
    monkeypatch.setattr(rows, "LENGTH", length)
    monkeypatch.setattr(rows, "ROW_LENGTH", length)
    blocks = [text[start : start + block] for start in range(0, len(text), block)]
    counts = Counter()
    assert list(map(str, cut(iter(blocks), delimiter, counts, tmp_path))) == expected
    assert counts["delimiters"] == number


def test_records_end_their_lines(tmp_path):
    rows = ["", " = Title = \n", "no end", "", "more\n"]
    assert "".join(as_lines(rows)) == "\n = Title = \nno end\n\nmore\n"
    assert list(cut(as_lines(rows), "blank-line", Counter(), tmp_path)) == [" = Title = \nno end", "more"]


@pytest.mark.parametrize("part", ["all", "train"])
def test_a_delimiter_that_cuts_nothing_is_refused(part, capsys):
    with pytest.raises(
        UserError, match=r"the delimiter '<\|e\|>' \(`document`\) stands nowhere in the (text|train)"
    ):
        check_delimiter("<|e|>", 0, part)
    with pytest.raises(UserError, match='in YAML, "\\\\n" in double quotes is a line end'):
        check_delimiter(r"\t--", 0, part)
    check_delimiter("<|e|>", 0, "valid")
    assert "each file is one document" in capsys.readouterr().out
    for document, found in ((None, 0), ("line", 0), ("whole", 0), ("record", 0), ("<|e|>", 1)):
        check_delimiter(document, found, part)


@pytest.mark.parametrize("document", ["whole", "line", "blank-line", "---"])
def test_long_documents_are_read_in_parts(document, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "LENGTH", 100)
    monkeypatch.setattr(rows, "ROW_LENGTH", 100)
    blocks = ["abc\u2029" * 3, "x y " * 10, "\u2028", " \u2028" * 60, "z" * 101, "---", "end\n"]
    documents = list(cut(iter(blocks), document, Counter(), tmp_path))
    assert any(isinstance(text, LongText) for text in documents)
    assert [isinstance(text, LongText) for text in documents] == [len(text) > 100 for text in documents]


def test_many_blank_lines_of_unicode_take_no_longer_than_other_text():
    """Of a run that does not end a piece, each looked at all behind it: these took more than a minute."""
    pieces = ["\u2028" * 100_000 + "x", "\u2028 \t" * 100_000, "\u2028y"]
    start = time.process_time()
    found = list(between_gaps(pieces))
    assert time.process_time() - start < 2
    assert found == [pieces[0], "", pieces[1] + pieces[2], ""]
