"""Durations are said in the unit that a person would use."""

import pytest

from gptgrid.text.readable import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "0 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "2 h")),
        *((100_000, "28 h"), (129_600, "1.5 d"), (1e6, "11.6 d")),
    ],
)
def test_duration(seconds, words):
    assert duration(seconds) == words
