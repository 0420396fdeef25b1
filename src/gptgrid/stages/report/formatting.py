"""Figures as people read them: rounded, with thin marks for thousands. Tables keep the exact ones beside."""

from __future__ import annotations

import math
from typing import Any

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NOTHING = "–"
Number = float | int | None


def decimal(value: Number) -> str:
    """Return a loss or a perplexity with three decimals; fewer where it is large, more where it is tiny."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-4:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}×10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", "−")
    decimals = 4 if 0 < size < 5e-4 else 3 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{decimals}f}".replace("-", "−")


def difference(row: dict[str, Any], name: str = "difference") -> dict[str, str]:
    """Return a difference and the ends of its interval, `value`, `low` and `high`, with their signs.

    They have three decimals, or more where the interval is narrower than those show. Not all have one.
    """
    value, low, high = (row.get(f"{name}{end}") for end in ("", "_low", "_high"))
    half = 0 if None in (low, high) else (high - low) / 2
    decimals = min(max(3, math.ceil(-math.log10(half))), 9) if half > 0 else 3
    shown = {"value": value, "low": low, "high": high}
    return {key: signed(number, decimals) for key, number in shown.items()}


def signed(value: Number, decimals: int) -> str:
    """Return a number with its sign."""
    return NOTHING if value is None else f"{value:+,.{decimals}f}".replace("-", "−")


def p_value(p: float) -> str:
    """Return a p value with two digits, as an equation."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def count(value: Number) -> str:
    """Return a whole number with its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def short(value: Number) -> str:
    """Return a large number with three digits and a power of 1000: `823 k`, `1.21 M`."""
    if value is None:
        return NOTHING
    for size, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        # From 999.5 of the smaller unit on, three digits round up to one of this.
        if value >= size * 0.9995:
            return f"{digits(value / size)} {unit}"
    return digits(value)


def digits(value: float) -> str:
    """Return three digits: 1.20, 23.4, 954."""
    return f"{value:#.3g}".rstrip(".") if abs(value) < 999.5 else f"{value:,.0f}"


def duration(seconds: Number) -> str:
    """Return seconds in the unit that a person would use."""
    if seconds is None:
        return NOTHING
    for limit, scale, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{digits(seconds / scale)} {unit}"
    return f"{digits(seconds / 86400)} d"


def sentence(text: str) -> str:
    """Return a message, which begins small and has no full stop, as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def percent(share: float | None) -> str:
    """Return a positive share in percent with one decimal."""
    if share is None:
        return NOTHING
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 or not share else "under 0.1 %"
