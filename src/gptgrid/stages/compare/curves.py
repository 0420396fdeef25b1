"""Groups at equal budgets: their validation losses after as many tokens, bytes, FLOPs or seconds.

Losses are those that training saw, read from the learning curves between two validations, and nowhere else.
They are of disjoint windows, and of the documents that `eval_bytes` chose. A curve before the end of its
schedule is not the loss of a training with that budget, whose learning rate would have fallen by then: such
figures are marked, and have no rank.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gptgrid.metrics import bits_per_byte
from gptgrid.stages.compare.cells import CONVENTION, STOPPED
from gptgrid.stages.compare.costs import BUDGETS, Row, measured, shared, why_without_figures
from gptgrid.stages.compare.facts import Inputs

HALVINGS = 3
"""Of the largest budget that all groups reached."""
NEAR = 1.05
"""Times as much is the same budget: whole steps reach it by more or less."""
ALIKE = ("text", CONVENTION, "validation_sample", "machine")
"""What rivals have in common; the machine counts for seconds alone."""
COLUMNS = (
    *ALIKE,
    "budget",
    "amount",
    "group",
    "cells",
    "val_loss",
    "val_bpb",
    "rank",
    "before_end",
    "reason",
)


@dataclass(frozen=True)
class Curve:
    """The validations of one training."""

    spent: np.ndarray
    """Shares of the whole training: (validations,), rising to 1."""
    losses: np.ndarray
    """Nats per token: (validations,)."""
    costs: Row
    """What the whole training cost; see `grouped`."""

    def loss(self, budget: str, amount: float) -> float:
        """Return the loss at a budget, linear in its logarithm between validations; NaN outside of them."""
        spent = np.log(self.spent * self.costs[budget])
        return float(np.interp(np.log(amount), spent, self.losses, left=np.nan, right=np.nan))


@dataclass(frozen=True)
class Rival:
    """A group with its curves."""

    name: str
    alike: tuple
    """The values of `ALIKE`."""
    curves: list[Curve]
    validated: tuple[int, int | None]
    """Tokens and bytes that a validation scores."""
    ends: bool
    """Whether its learning rate stands at the end where it has come to; a constant one always does."""
    constant: bool

    def reach(self, budget: str) -> float | None:
        """Return the budget that all its trainings reached; None if it is not known."""
        reached = [curve.costs[budget] for curve in self.curves]
        return None if any(pd.isna(cost) for cost in reached) else float(min(reached))

    def row(self, budget: str, amount: float) -> Row:
        """Return its figures at a budget."""
        loss = float(np.mean([curve.loss(budget, amount) for curve in self.curves]))
        tokens, size = self.validated
        row = {"group": self.name, "cells": len(self.curves)}
        if np.isnan(loss):
            beyond = amount > self.reach(budget)
            return {**row, "reason": "it does not reach as far" if beyond else "no validation so early"}
        # By seconds some trainings of a group end earlier than others, whose schedules are not done then.
        at_end = self.ends and all(amount * NEAR >= curve.costs[budget] for curve in self.curves)
        bpb = bits_per_byte(loss * tokens, size)
        return {**row, "val_loss": loss, "val_bpb": bpb, "before_end": not (self.constant or at_end)}


def equal_table(inputs: Inputs, groups: list[list[Row]]) -> pd.DataFrame:
    """Return the losses of groups at equal budgets.

    The budgets are the largest that all of some rivals reached, its halves, and its doubles as far as any
    reaches. Rivals have the same text, convention and validation sample; by seconds, the same kind of
    machine, too.

    Args:
        inputs: of `compare`.
        groups: see `grouped`.

    Returns:
        a row for each group at each budget, and one for each group that has no curve, with the reason.
    """
    rivals, without = rivals_of(inputs, groups)
    rows = []
    for budget in BUDGETS:
        sets: dict[tuple, list[Rival]] = {}
        for rival in rivals:
            alike = rival.alike if budget == "seconds" else (*rival.alike[:-1], None)
            if rival.reach(budget) and not (budget == "seconds" and alike[-1] is None):
                sets.setdefault(alike, []).append(rival)
        for alike, members in sets.items():
            for amount in amounts([rival.reach(budget) for rival in members]):
                found = ranked([rival.row(budget, amount) for rival in members])
                if any("val_loss" in row for row in found):
                    place = {**dict(zip(ALIKE, alike, strict=True)), "budget": budget, "amount": amount}
                    rows += [{**place, **row} for row in found]
    return pd.DataFrame([*rows, *without], columns=COLUMNS, dtype=object)


def amounts(reaches: list[float]) -> list[float]:
    """Return the budgets at which rivals are compared, rising.

    Args:
        reaches: how far each comes.
    """
    common, furthest = min(reaches), max(reaches)
    found = [common / 2**halving for halving in range(HALVINGS, 0, -1)]
    amount = common
    while amount <= furthest * NEAR:
        # Where a rival ends near it, there: just beyond, it would have no figure.
        ends = [reach for reach in reaches if amount / NEAR <= reach <= amount * NEAR]
        found.append(min(ends, default=amount))
        amount *= 2
    return found


def ranked(rows: list[Row]) -> list[Row]:
    """Return rows of one budget with the rank of each whose schedule has ended, equals with the same."""
    frame = pd.DataFrame(rows, columns=["val_bpb", "val_loss", "before_end"], dtype=object)
    ended = frame[frame["before_end"].eq(False)]
    ranks = ended["val_bpb"].fillna(ended["val_loss"]).astype(float).rank(method="min").astype(int)
    return [{**row, "rank": ranks.get(number)} for number, row in enumerate(rows)]


def rivals_of(inputs: Inputs, groups: list[list[Row]]) -> tuple[list[Rival], list[Row]]:
    """Return the groups that have curves, and rows that say why the others have none."""
    rivals, without = [], []
    for group in groups:
        rows, reason = measured(group), why_without_figures(group)
        if reason := reason or why_without_curves(inputs, rows):
            place = {key: group[0][key] for key in ("text", "group")}
            without.append({**place, "cells": len(rows), "reason": reason})
        else:
            rivals.append(rival_of(inputs, rows))
    return rivals, without


def why_without_curves(inputs: Inputs, rows: list[Row]) -> str | None:
    """Return why the cells of a group have no curves of one kind; None if they have."""
    if not all(row["spent"] for row in rows):
        return "it was not trained here"
    if len({sample_of(inputs, row["cell"]) for row in rows}) > 1:
        return "its cells were validated on different documents"
    return None


def rival_of(inputs: Inputs, rows: list[Row]) -> Rival:
    """Return a group with its curves.

    Args:
        inputs: of `compare`.
        rows: of its cells, all of which were trained and validated on the same documents.
    """
    first, (tokens, size) = rows[0], sample_of(inputs, rows[0]["cell"])
    sample = f"{tokens} tokens" if size is None else f"{size} bytes"
    convention, machine = (shared(row[key] for row in rows) for key in (CONVENTION, "machine"))
    return Rival(
        name=first["group"],
        alike=(first["text"], convention, sample, machine),
        curves=[curve_of(inputs, row) for row in rows],
        validated=(tokens, size),
        ends=all(row["status"] != STOPPED for row in rows),
        constant=schedule_of(inputs, first["cell"]) == "constant",
    )


def sample_of(inputs: Inputs, cell: str) -> tuple[int, int | None]:
    """Return the tokens and bytes that were scored at each validation in a training.

    `eval_bytes` takes the documents of a text in one order, so that as many bytes are the same documents.
    """
    facts = inputs.facts(f"train:{cell}")
    return facts["val_tokens"], facts["val_bytes"]


def curve_of(inputs: Inputs, row: Row) -> Curve:
    """Return the validations of a training. Reading thousands of short files is faster without pandas."""
    path = inputs.job.inputs[f"train:{row['cell']}"] / "metrics.csv"
    with path.open(newline="", encoding="utf-8") as file:
        found = [(line["tokens"], line["val_loss"]) for line in csv.DictReader(file) if line["val_loss"]]
    tokens, losses = np.array(found, dtype=float).T
    return Curve(tokens / row["spent"]["tokens"], losses, row["spent"])


def schedule_of(inputs: Inputs, cell: str) -> str | None:
    """Return the learning rate's schedule of a training."""
    return inputs.manifest(f"train:{cell}")["config"].get("training", {}).get("schedule")
