"""Documents are cut where the configuration says, and keep what is inside them."""

import pytest

from gptgrid.stages.corpus.reading.documents import as_lines, cut


@pytest.mark.parametrize(
    ("text", "document", "expected"),
    [
        ("a\n\nb\n", "whole", ["a\n\nb\n"]),
        ("a\nb\n", "line", ["a", "b"]),
        ("a\n\nb", "line", ["a", "", "b"]),
        ("a\x0cb\u2028c\x00\n", "line", ["a\x0cb\u2028c\x00"]),
        ("\n \na\nb\n\n\t\n\u3000\n  c\n\n", "blank-line", ["a\nb", "  c"]),
        ("a\n", "blank-line", ["a"]),
        ("a\n<|e|>\nb<|e|>", "<|e|>", ["a\n", "\nb"]),
        ("a<|e|><|e|>b", "<|e|>", ["a", "", "b"]),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_cut(text, document, expected, block):
    blocks = [text[start : start + block] for start in range(0, len(text), block)]
    assert list(cut(iter(blocks), document)) == expected


def test_records_end_their_lines():
    rows = ["", " = Title = \n", "no end", "", "more\n"]
    assert "".join(as_lines(rows)) == "\n = Title = \nno end\n\nmore\n"
    assert list(cut(as_lines(rows), "blank-line")) == [" = Title = \nno end", "more"]
