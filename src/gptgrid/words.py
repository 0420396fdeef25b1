"""Words that fit a number."""

IRREGULAR = {"are": "is", "were": "was", "have": "has"}


def counted(number: int, noun: str) -> str:
    """Return a number of things: `1 cell`, `2,000 cells`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def verb(number: int, many: str) -> str:
    """Return what so many do, from what several do: one `takes`, two `take`."""
    return many if number != 1 else IRREGULAR.get(many, f"{many}s")
