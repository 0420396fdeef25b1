"""Durations are said in the unit that a person would use, and names on one line."""

import pytest

from gptgrid.text.readable import duration, printable


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "0 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "2 h")),
        *((100_000, "28 h"), (129_600, "1.5 d"), (1e6, "11.6 d")),
    ],
)
def test_duration(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *((name, name) for name in ("a b.txt", "红楼梦.txt", "é`<b>.txt")),
        ("new\nline.txt", r"new\nline.txt"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("not \udcff UTF-8", r"not \udcff UTF-8"),
    ],
)
def test_names_are_on_one_line(name, shown):
    assert printable(name) == shown
