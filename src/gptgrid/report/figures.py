"""Figures as people read them: rounded, with thin marks for thousands. Tables keep the exact ones beside."""

from __future__ import annotations

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NOTHING = "–"
Number = float | int | None


def figure(value: Number) -> str:
    """Return a loss, a rate or a perplexity with three decimals, or fewer where it is large."""
    if value is None:
        return NOTHING
    if abs(value) >= 1e6:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    return f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.0f}"


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
            return f"{value / size:.3g} {unit}" if value < 999.5 * size else f"{value / size:,.0f} {unit}"
    return f"{value:.3g}"


def duration(seconds: Number) -> str:
    """Return seconds in the unit that a person would use."""
    if seconds is None:
        return NOTHING
    for limit, scale, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 86400:.3g} d"
