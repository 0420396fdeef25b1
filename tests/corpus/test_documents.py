"""Documents are cut where the configuration says, and keep what is inside them."""

import pytest

from gptgrid.corpus.documents import cut


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
def test_cut(text, document, expected):
    assert list(cut(text, document)) == expected
