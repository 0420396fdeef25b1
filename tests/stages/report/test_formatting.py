"""Rounding for people: three digits that mean something, never a wrong one."""

import pytest

from gptgrid.stages.report.formatting import (
    count,
    decimal,
    difference,
    duration,
    p_value,
    percent,
    sentence,
    short,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0.000"),
        (1.23456, "1.235"),
        (371.911, "371.9"),
        (18_120.4, "18,120"),
        (1.07e15, "1.07×10¹⁵"),
        (0.00031, "0.0003"),
        (0.0000312, "3.12×10⁻⁵"),
    ],
)
def test_decimal(value, shown):
    assert decimal(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12, "12.0"),
        (999, "999"),
        (823_000, "823 k"),
        (999_600, "1.00 M"),
        (2.6e6, "2.60 M"),
        (5.91e11, "591 G"),
    ],
)
def test_short(value, shown):
    assert short(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(12.5, "12.5 s"), (600, "10.0 min"), (7200, "2.00 h"), (3e5, "3.47 d")]
)
def test_duration(value, shown):
    assert duration(value) == shown


def test_count_and_percent():
    assert (count(1_234_567), count(None)) == ("1,234,567", "–")
    assert (percent(0.047), percent(0.0), percent(0.00001)) == ("4.7 %", "0.0 %", "under 0.1 %")


def test_a_message_becomes_a_sentence():
    assert sentence("the text is short; give more (`split`)") == "The text is short; give more (`split`)."


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((0.031, 0.022, 0.04), ("+0.031", "+0.022", "+0.040")),
        ((-0.004, -0.011, 0.003), ("−0.004", "−0.011", "+0.003")),
        ((0.0012, 0.0008, 0.0016), ("+0.0012", "+0.0008", "+0.0016")),
        ((0.5, None, None), ("+0.500", "–", "–")),
        ((0.0, 0.0, 0.0), ("+0.000", "+0.000", "+0.000")),
        ((None, None, None), ("–", "–", "–")),
    ],
)
def test_difference(numbers, shown):
    row = dict(zip(("effect", "effect_low", "effect_high"), numbers, strict=True))
    assert tuple(difference(row, "effect").values()) == shown


@pytest.mark.parametrize(
    ("p", "shown"), [(0.00034, "p = 0.00034"), (0.049, "p = 0.049"), (1.0, "p = 1"), (3e-9, "p < 0.0001")]
)
def test_p_value(p, shown):
    assert p_value(p) == shown
