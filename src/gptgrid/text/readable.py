"""Figures in words that a person reads at a glance."""


def duration(seconds: float) -> str:
    """Return seconds in the unit that a person would use: `45 s`, `12 min`, `7 h`, `2.5 d`."""
    for limit, scale, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / scale:.0f} {unit}"
    return f"{seconds / 86400:.1f} d"
