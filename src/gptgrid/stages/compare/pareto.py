"""Which groups are worth what they cost: no other is as good for less, or better for the same.

A lower cost that is not noticed, and a difference of losses that may be chance, count here like any other:
the verdicts in comparison.csv say what is distinguishable.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

import pandas as pd

from gptgrid.stages.compare.cells import CONVENTION
from gptgrid.stages.compare.costs import Row, measured, shared, why_without_figures

SPEED = "generated_bytes_per_second"
COSTS = ("parameters", "train_flops", "train_seconds", SPEED)
MACHINES = {"train_seconds": "machine", SPEED: "generated_on"}
"""Cost that is one of a machine → column that says of which."""
COLUMNS = (
    "text",
    CONVENTION,
    "group",
    "val_loss",
    "val_bpb",
    *COSTS,
    *MACHINES.values(),
    *(f"on_front_{cost}" for cost in COSTS),
    "reason",
)


def pareto_table(groups: list[list[Row]]) -> pd.DataFrame:
    """Return a row for each group: its means of losses and costs, and of which fronts it is.

    Groups are rivals on one text under one convention; by seconds, and by how fast they generate, on one kind
    of machine. A group without a loss or a cost is on no front of it, and its flag is empty.

    Args:
        groups: see `grouped`.
    """
    table = pd.DataFrame([means(group) for group in groups], columns=COLUMNS, dtype=object)
    losses = pd.to_numeric(table["val_bpb"]).fillna(pd.to_numeric(table["val_loss"]))
    for cost in COSTS:
        rivals = ["text", CONVENTION, *([MACHINES[cost]] if cost in MACHINES else [])]
        for _, among in table[losses.notna() & table[cost].notna()].groupby(rivals, sort=False):
            costs = among[cost].astype(float)
            # Of a speed, more is better.
            table.loc[among.index, f"on_front_{cost}"] = on_front(
                -costs if cost == SPEED else costs, losses[among.index]
            )
    return table


def means(group: list[Row]) -> Row:
    """Return the means of a group over its cells that did not fail, where it has figures."""
    rows = measured(group)
    found = {
        **{key: group[0][key] for key in ("text", "group")},
        CONVENTION: shared(row[CONVENTION] for row in rows),
        **{machine: shared(row[machine] for row in rows) for machine in MACHINES.values()},
        "reason": why_without_figures(group),
    }
    if found["reason"] is None:
        found |= {
            key: mean(row[key] for row in rows)
            for key in ("val_loss", "val_bpb", "parameters", "train_flops")
        }
        seconds = mean(row["spent"].get("seconds") for row in rows)
        found["train_seconds"] = seconds if found["machine"] else None
        found[SPEED] = mean(row[SPEED] for row in rows) if found["generated_on"] else None
    return found


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean; None if a value is missing."""
    known = list(values)
    return None if any(pd.isna(value) for value in known) else statistics.fmean(known)


def on_front(costs: pd.Series, losses: pd.Series) -> list[bool]:
    """Say of each whether no other has neither a higher cost nor a higher loss, and one of them lower.

    Equals are on the front together.
    """
    lowest = losses.groupby(costs).min()
    # Of all that cost less.
    cheaper = lowest.cummin().shift(fill_value=float("inf"))
    found = zip(costs, losses, strict=True)
    return [bool(loss == lowest[cost] and loss < cheaper[cost]) for cost, loss in found]
