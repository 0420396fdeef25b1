"""One row per group of cells that differ in their seed alone: means with intervals, and a rank on each text.

Figures are over the cells that finished. A failure says nothing about the recipe; a training that diverged
does: the seeds that it left are the lucky ones, so that its group has their figures, but ranks last, like one
without any, and has no verdict. The first is the best on its text if it can be told from guessing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import pandas as pd
from scipy.special import stdtrit

from gptgrid.stages.compare.cells import (
    CHANCE,
    CONVENTION,
    DEFINITION,
    DIVERGED,
    FAILED,
    HIGH,
    IMPORTED,
    LOW,
    NAMES,
    QUESTIONS,
    SCORED,
    figures_of,
)
from gptgrid.stages.compare.documents import Scores
from gptgrid.stages.compare.guessing import has_learned, learned_by_document
from gptgrid.words import counted

STATISTICS = ("mean", "std", "low", "high")
FINISHED = "finished"
"""The status of a group with the figures that it is compared by."""
GUESSING = ("guessing", "val_tokens")
"""Nats per token that guessing by frequency takes on the validation split, and the tokens scored there."""


def group_table(cells: pd.DataFrame, keys: list[str], scores: dict[str, dict[str, Scores]]) -> pd.DataFrame:
    """Return the rows of all groups, in grid order.

    Args:
        cells: the rows of all cells, with `group`, `text`, `guessing` and `val_tokens`.
        keys: overridden keys.
        scores: text → split → what its groups take by document.

    Groups are ranked on each text by their mean of validation bits per byte (nats per token for corpora of
    bare ids): what is reported on the test split never selects.
    """
    members = cells.groupby("group", sort=False)
    parts = [name for name in NAMES if name not in ("cell", "seed")]
    chances = [column for column in cells if column.startswith(CHANCE)]
    shared = (*QUESTIONS, *chances, *SCORED, CONVENTION, DEFINITION, *GUESSING)
    groups = members[["text", *parts, *keys, "parameters", *shared]].first()
    groups["seeds"] = members.size()
    for status in (DIVERGED, FAILED, IMPORTED):
        groups[status] = members["status"].agg(lambda values, status=status: sum(values == status))
    groups["status"] = members["status"].agg(group_status)
    groups["reason"] = pd.Series({name: group_reason(of) for name, of in members}, dtype=object)
    finished = cells[~cells["status"].isin((DIVERGED, FAILED))]
    figures = figure_columns(finished, figures_of(finished)).reindex(groups.index)
    losses = zip(figures["val_loss_mean"], groups["guessing"], groups["val_tokens"], strict=True)
    by_document: dict[str, bool] = {}
    for of_text in scores.values():
        by_document |= learned_by_document(of_text["valid"])
    groups["learned"] = [
        by_document.get(group, has_learned(*row)) for group, row in zip(groups.index, losses, strict=True)
    ]
    groups["rank"] = ranks(groups["text"], figures.mask(groups[DIVERGED] > 0))
    groups["best"] = (groups["rank"] == 1) & groups["learned"] & (groups[DIVERGED] == 0)
    return groups.join(figures).reset_index()


def group_status(statuses: pd.Series) -> str:
    """Return how a group ended: diverged if one of its cells did, failed if all did."""
    if (statuses == DIVERGED).any():
        return DIVERGED
    return FAILED if (statuses == FAILED).all() else FINISHED


def group_reason(cells: pd.DataFrame) -> str | None:
    """Return which seeds of a group its figures lack, and why; None where they are of all.

    Args:
        cells: the rows of its cells.
    """
    lost = [
        f"{len(of)} of {counted(len(cells), 'seed')} {status}: {'; '.join(of.dropna().unique())}"
        for status in (DIVERGED, FAILED)
        if len(of := cells["reason"][cells["status"] == status])
    ]
    return "; ".join(lost) or None


def group_names(cells: pd.DataFrame) -> list[str]:
    """Return the names of cells without their seeds."""
    return [cell.removesuffix(f".s{seed}") for cell, seed in zip(cells["cell"], cells["seed"], strict=True)]


def text_names(cells: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Return corpora with their overrides, much as cells are named: figures compare on one text alone."""
    names = cells["corpus"]
    for key in keys:
        if key.startswith("corpus."):
            suffix = f"+{key.removeprefix('corpus.')}=" + cells[key]
            names = names + suffix.fillna("")
    return names


def figure_columns(cells: pd.DataFrame, figures: Sequence[str]) -> pd.DataFrame:
    """Return for each group of cells the mean, standard deviation and interval of some figures.

    A share of right answers has the interval for other items, from the lowest to the highest end of those of
    its seeds: one for other seeds would go beyond 0 and 1, and shrink to a point where two seeds agree.
    """
    rows = {}
    for group, members in cells.groupby("group", sort=False):
        rows[group] = []
        for figure in figures:
            found = summarize(list(members[figure]), exponential="perplexity" in figure)
            if f"{LOW}{figure}" in cells and found["mean"] is not None:
                low, high = (members[f"{end}{figure}"].astype(float) for end in (LOW, HIGH))
                found |= {"low": low.min(skipna=False), "high": high.max(skipna=False)}
            rows[group] += found.values()
    columns = [f"{figure}_{statistic}" for figure in figures for statistic in STATISTICS]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=object)


def ranks(texts: pd.Series, figures: pd.DataFrame) -> pd.Series:
    """Return the rank of each group on its text, from 1; groups without a validation loss last, in order."""
    bits, nats = (pd.to_numeric(figures[f"{key}_mean"]) for key in ("val_bpb", "val_loss"))
    loss = bits.fillna(nats)
    return loss.groupby(texts).rank(method="first", na_option="bottom").astype(int)


def summarize(values: list[float | None], exponential: bool = False) -> dict[str, float | None]:
    """Return mean, sample standard deviation and the 95 % confidence interval of the mean (Student's t).

    Args:
        values: one per seed; None where one was not measured.
        exponential: whether the values are exponentials, as perplexities are. Mean and interval are then
            those of the logarithms, exponentiated: the interval stays positive, and the mean lies in it.

    Returns:
        mean, std, low and high. All are None if a value is missing, all but the mean if there is one value.
    """
    if any(value is None for value in values):
        return dict.fromkeys(STATISTICS)
    if len(values) == 1:
        return {"mean": values[0], "std": None, "low": None, "high": None}
    std = statistics.stdev(values)
    scale = [math.log(value) for value in values] if exponential else values
    mean = statistics.fmean(scale)
    half = float(stdtrit(len(scale) - 1, 0.975)) * statistics.stdev(scale) / math.sqrt(len(scale))
    low, high = mean - half, mean + half
    if exponential:
        # e^709 is about the largest double, and the upper end of few seeds can be beyond it.
        mean, low, high = math.exp(mean), math.exp(low), math.exp(high) if high < 709 else None
    return {"mean": mean, "std": std, "low": low, "high": high}
