"""Learning curves, in bits per byte where there are bytes, rounded to what a screen can show."""

from __future__ import annotations

import math
from statistics import fmean

import pandas as pd

from gptgrid.artifact.job import Job
from gptgrid.stages.report.tables import Row

LOSSES = ("val_loss", "train_loss")
"""Columns of metrics.csv."""
ENDINGS = ("finished", "stopped early", "diverged")
"""How a training can end, from the best to the worst."""
SINGLE_CURVES = 60
"""Up to so many cells on a text have a curve each; beyond, a curve is the mean over a group's seeds."""


def learning_curves(job: Job, cells: list[Row]) -> list[Row]:
    """Return learning curves: of every cell on a text that has few cells, otherwise of groups."""
    by_text: dict[str, list[Row]] = {}
    for cell in cells:
        # Without counts of tokens and bytes a loss cannot be brought to the unit of its text.
        if cell["splits"]:
            by_text.setdefault(cell["text"], []).append(cell_curve(job, cell))
    return [curve for curves in by_text.values() for curve in average_if_many(curves)]


def cell_curve(job: Job, cell: Row) -> Row:
    """Return the curves of one training."""
    name = f"train:{cell['cell']}"
    metrics = pd.read_csv(job.inputs[name] / "metrics.csv", usecols=["tokens", *LOSSES])
    facts, train = job.manifest(name)["facts"], cell["splits"]["train"]
    curve = {"group": cell["group"], "seed": cell["seed"], "status": facts["status"]}
    return curve | {
        # A training may validate on a part of the split.
        "val_loss": points(metrics, "val_loss", bits_per_nat(facts["val_tokens"], facts["val_bytes"])),
        "train_loss": points(metrics, "train_loss", bits_per_nat(train["tokens"] - 1, train["bytes"])),
    }


def bits_per_nat(tokens: int, size: int | None) -> float:
    """Return what turns nats per token into bits per byte; 1 where there are no bytes.

    Args:
        tokens: that were scored.
        size: UTF-8 bytes of their text.
    """
    return tokens / (math.log(2) * size) if size else 1.0


def points(metrics: pd.DataFrame, loss: str, scale: float) -> list[list[float]]:
    """Return tokens and losses where a loss was measured, as two lists."""
    measured = metrics[["tokens", loss]].dropna()
    return [measured["tokens"].tolist(), [five_digits(value) for value in measured[loss] * scale]]


def five_digits(value: float) -> float:
    """Return five digits, more than a screen can show."""
    return float(f"{value:.5g}")


def average_if_many(curves: list[Row]) -> list[Row]:
    """Return the curves of a text, or where they are many those of groups, which have no seed."""
    if len(curves) <= SINGLE_CURVES:
        return curves
    groups: dict[int, list[Row]] = {}
    for curve in curves:
        groups.setdefault(curve["group"], []).append(curve)
    return [mean_curve(group, members) for group, members in groups.items()]


def mean_curve(group: int, curves: list[Row]) -> Row:
    """Return the mean over the seeds of a group."""
    # The mean ends where the first of its curves does.
    status = max((curve["status"] for curve in curves), key=ENDINGS.index)
    means = {loss: mean_points([curve[loss] for curve in curves]) for loss in LOSSES}
    return {"group": group, "seed": None, "status": status, **means}


def mean_points(curves: list[list[list[float]]]) -> list[list[float]]:
    """Return the mean of curves at the tokens that all of them have."""
    losses = [dict(zip(*curve, strict=True)) for curve in curves]
    tokens = [at for at in losses[0] if all(at in others for others in losses)]
    return [tokens, [five_digits(fmean(loss[at] for loss in losses)) for at in tokens]]
