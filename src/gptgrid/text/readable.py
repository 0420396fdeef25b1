"""Figures and names as a person reads them at a glance."""


def duration(seconds: float) -> str:
    """Return seconds in the unit that a person would use: `45 s`, `12 min`, `7 h`, `2.5 d`."""
    for limit, scale, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / scale:.0f} {unit}"
    return f"{seconds / 86400:.1f} d"


def printable(name: str) -> str:
    """Return a name on one line, with escapes (`\\n`) for what cannot be seen or would move what is seen."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in name
    )


def excerpt(text: str, length: int) -> str:
    """Return the beginning of a text on one line, with an ellipsis if that is not all."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[:length].rstrip() + "…"
