"""What a step of the walk consists of: words, a shape, tables of chosen values. Not how they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

TOKENS_SHOWN = (3, 5)
"""Of a longer text, so many tokens at its beginning and at its end stand in tables."""
NUMBERS_SHOWN = 6
"""Of a vector, so many numbers from its beginning."""

Value = float | int | str


@dataclass(frozen=True)
class Table:
    """Rows of values, each behind a label."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Value]]]
    cut: bool = False
    """Whether the rows go on to the right."""


@dataclass(frozen=True)
class Step:
    """One step from text to loss."""

    key: str
    """Its name in the texts, such as `softmax`."""
    block: int | None
    """The number of the block that it belongs to."""
    title: str
    what: str
    """What the step does, in a sentence or two."""
    formula: str
    """Empty where there is none."""
    shape: str
    """Of its result, with the names of the axes; empty where it has none."""
    tables: list[Table]

    def as_json(self) -> dict[str, Any]:
        """Return the step for programs; values are not rounded, -inf is the text `-inf`."""
        tables = [
            {
                "title": table.title,
                "columns": table.columns,
                "rows": [
                    {"label": label, "values": list(map(finite, values))} for label, values in table.rows
                ],
            }
            for table in self.tables
        ]
        return {**vars(self), "tables": tables}


def finite(value: Value) -> Value:
    """Return a value that JSON can hold."""
    return str(value) if value in (float("inf"), float("-inf")) else value


def shape_of(tensor: Tensor, *axes: str) -> str:
    """Return a shape with the names of its axes: `(5, 64) = (time, d_model)`."""
    sizes = ", ".join(map(str, tensor.shape))
    return f"({sizes}) = ({', '.join(axes)})"


def chosen_places(time: int) -> list[int]:
    """Return which tokens of a text stand in tables: all of a short one, else some from both ends."""
    first, last = TOKENS_SHOWN
    return list(range(time)) if time <= first + last else [*range(first), *range(time - last, time)]


def vectors(title: str, labels: Sequence[str], values: Tensor) -> Table:
    """Return the beginnings of the vectors of chosen tokens.

    Args:
        title: of the table.
        labels: of all tokens.
        values: (time, width).
    """
    shown = min(NUMBERS_SHOWN, values.shape[1])
    rows = [(labels[place], values[place, :shown].tolist()) for place in chosen_places(len(labels))]
    return Table(title, [str(column) for column in range(shown)], rows, values.shape[1] > shown)


def square(title: str, labels: Sequence[str], values: Tensor) -> Table:
    """Return a table of chosen tokens: a row for each that looks, a column for each that is looked at.

    Args:
        title: of the table.
        labels: of all tokens.
        values: (time, time).
    """
    places = chosen_places(len(labels))
    rows = [(labels[place], values[place, places].tolist()) for place in places]
    return Table(title, [labels[place] for place in places], rows)
