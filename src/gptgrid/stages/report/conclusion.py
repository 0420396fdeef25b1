"""The conclusion of an experiment: on each text the best group, and its verdict against the next.

Both are those of comparison.csv: validation chooses the best, and the test documents, which chose nothing,
tell by how much it is better, and how sure that is.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from gptgrid.stages.report.experiment import ReportContent
from gptgrid.stages.report.scoring import scored_parts
from gptgrid.stages.report.tables import PARTS, Row

VERDICT = ("difference", "difference_low", "difference_high", "p", "verdict", "covers", "seeds_needed")
"""What comparison.csv says of a group against the best."""


def conclusions(experiment: ReportContent) -> list[dict[str, Any]]:
    """Return for each text the best group, the next, and the verdicts on all others.

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
    """Return the text, the best group, its test figure, the next group with its verdict, the number of groups
    with each verdict, how many cells have no figures, and what must be known before any of it is believed.

    The best group is None if none has a loss, as a group with a diverged cell has not, and if the first
    cannot be told from guessing; `lowest` is then the first.
    """
    rivals = sorted((group for group in groups if group["text"] == text["name"]), key=lambda row: row["rank"])
    figures = f"{text['valid']}_mean"
    measured = [group for group in rivals if group[figures] is not None and not group["diverged"]]
    first, second = [*measured, None, None][:2]
    best = first if first and first["best"] else None
    return {
        "text": text,
        "best": best,
        "lowest": None if best else first,
        "cautions": cautions,
        "test": best[f"{text['test']}_mean"] if best else None,
        "next": {key: second[key] for key in ("label", "variant", *VERDICT)} if best and second else None,
        "verdicts": Counter(group["verdict"] for group in measured[1:]) if best else Counter(),
        "groups": len(rivals),
        "measured": len(measured),
        "cells": sum(group["seeds"] for group in rivals),
        "diverged": sum(group["diverged"] for group in rivals),
        "failed": sum(group["failed"] for group in rivals),
    }


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
