"""The tables on budgets and sizes, as far as a page has room for them."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from gptgrid.stages.report.tables import Row

PLACE = ("text", "convention", "validation_sample", "machine", "budget", "amount")
"""What groups have in common that compare at an equal budget."""
FRONTS = ("parameters", "train_flops", "train_seconds", "generated_bytes_per_second")
LETTERS = ("E", "A", "alpha", "B", "beta")
FACTORS = (2, 10)
"""How many times as large as the largest cells the cells are that a law predicts."""


def leaders(equal: list[Row]) -> list[Row]:
    """Return for each budget at which several groups compare the lowest and the next, two rows of equal.csv.

    Beside them `groups`, how many have a rank there, and `rivals`, how many there are.
    """
    found = []
    for place, members in groupby(equal, lambda row: tuple(row[key] for key in PLACE)):
        rivals = list(members)
        ranked = sorted((row for row in rivals if row["rank"] is not None), key=lambda row: row["rank"])
        if len(ranked) > 1:
            lowest, following = ranked[:2]
            row = {"lowest": lowest, "next": following, "groups": len(ranked), "rivals": len(rivals)}
            found.append(dict(zip(PLACE, place, strict=True)) | row)
    return found


def fronts(pareto: list[Row]) -> list[Row]:
    """Return the rows of pareto.csv of groups that are on a front, where there are several groups."""
    rivals: dict[str, int] = {}
    for row in pareto:
        rivals[row["text"]] = rivals.get(row["text"], 0) + 1
    return [
        row
        for row in pareto
        if rivals[row["text"]] > 1 and any(row[f"on_front_{cost}"] is True for cost in FRONTS)
    ]


def laws(scaling: list[Row]) -> list[dict[str, Any]]:
    """Return the rows of scaling.csv, with values and predictions as lists, of recipes that were trained at
    more than one size or budget: nobody asked for a law of the others."""
    return [
        {
            **row,
            "values": [(name, *ends(row, name)) for name in LETTERS if row[name] is not None],
            "predictions": [(factor, *ends(row, f"loss_at_{factor}_times")) for factor in FACTORS],
        }
        for row in scaling
        if row["sizes"] > 1 or row["budgets"] > 1
    ]


def ends(row: Row, name: str) -> tuple[float | None, float | None, float | None]:
    """Return a value with the ends of its interval."""
    return row[name], row[f"{name}_low"], row[f"{name}_high"]
