"""The conclusion of an experiment: the best group on each text, and how sure that is.

Validation chooses the best; the test figure is reported for what was chosen.
"""

from __future__ import annotations

from typing import Any

from gptgrid.stages.report import formatting
from gptgrid.stages.report.experiment import ReportContent
from gptgrid.stages.report.scoring import scored_parts
from gptgrid.stages.report.tables import PARTS, Row


def conclusions(experiment: ReportContent) -> list[dict[str, Any]]:
    """Return for each text the best group, the runner-up, and what stands between them.

    `part` says of how much of the test text the figures are; None of all.
    """
    parts = scored_parts(experiment.groups)
    return [
        {
            **conclusion(text, experiment.groups, experiment.cautions.get(text["name"], [])),
            "part": next((part for part in parts.get(text["name"], []) if part["split"] == "test"), None),
        }
        for text in experiment.texts
    ]


def conclusion(text: Row, groups: list[Row], cautions: list[str]) -> dict[str, Any]:
    """Return the text, the best group, its test figure, the runner-up, how many cells have no figures, and
    what must be known before any of it is believed.

    The best group is None if none has a loss, as a group with a diverged cell has not, and if the first
    cannot be told from guessing; `lowest` is then the first.
    """
    rivals = sorted((group for group in groups if group["text"] == text["name"]), key=lambda row: row["rank"])
    measured = [group for group in rivals if group[f"{text['valid']}_mean"] is not None]
    first, second = [*measured, None, None][:2]
    best = first if first and first["best"] else None
    return {
        "text": text,
        "best": best,
        "lowest": None if best else first,
        "cautions": cautions,
        "test": mean_with_interval(best, text["test"]) if best else None,
        "next": gap(best, second, text["valid"]) if best and second else None,
        "groups": len(rivals),
        "cells": sum(group["seeds"] for group in rivals),
        "diverged": sum(group["diverged"] for group in rivals),
        "failed": sum(group["failed"] for group in rivals),
    }


def mean_with_interval(group: Row, figure: str) -> dict[str, float | None]:
    """Return mean, low and high of a figure."""
    return {key: group[f"{figure}_{key}"] for key in ("mean", "low", "high")}


def gap(best: Row, second: Row, figure: str) -> dict[str, Any]:
    """Return the runner-up, how far it is behind on validation, and whether seeds tell the two apart."""
    first, other = mean_with_interval(best, figure), mean_with_interval(second, figure)
    behind = other["mean"] - first["mean"]
    return {
        "label": second["label"],
        "variant": second["variant"],
        "behind": behind,
        "percent": formatting.percent(behind / first["mean"]) if first["mean"] else None,
        "verdict": verdict(first, other),
    }


def verdict(first: dict[str, float | None], other: dict[str, float | None]) -> str:
    """Say what the 95 % intervals of two means allow to conclude."""
    if first["high"] is None or other["low"] is None:
        return "A group of one seed has no interval: the order may be chance."
    if first["high"] < other["low"]:
        return "Their 95 % intervals over seeds do not overlap on validation."
    return "Their 95 % intervals over seeds overlap on validation: more seeds would have to decide."


def failures(experiment: ReportContent) -> dict[str, list[str]]:
    """Return reason → cells that failed for it."""
    reasons: dict[str, list[str]] = {}
    for cell in experiment.cells:
        if cell["status"] == "failed":
            reasons.setdefault(cell["reason"] or "no reason is known", []).append(cell["cell"])
    return reasons


def grid_values(experiment: ReportContent) -> list[tuple[str, list[str]]]:
    """Return what the grid varies, or holds: name of the part → its values."""
    cells = experiment.cells
    parts = [(part, [cell[part] for cell in cells]) for part in ("corpus", *PARTS)]
    keys = [(key, [cell[key] or "not overridden" for cell in cells]) for key in experiment.keys]
    seeds = [("seed", [str(cell["seed"]) for cell in cells])]
    return [(name, list(dict.fromkeys(values))) for name, values in (*parts, *keys, *seeds)]
