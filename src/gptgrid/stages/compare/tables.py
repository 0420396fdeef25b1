"""The tables of an experiment: summary.csv has one row per cell, comparison.csv one per group of cells.

A group is the cells that differ in their seed alone. Figures are collected and summarized here, never
measured; how they look is the business of the report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from gptgrid.artifact.job import Job
from gptgrid.stages.compare.cells import cell_table, overridden_keys
from gptgrid.stages.compare.groups import group_table


def compare(job: Job) -> dict[str, Any]:
    """Write summary.csv and comparison.csv; return the facts."""
    keys = overridden_keys(job.config.cells)
    cells = cell_table(job, keys)
    groups = group_table(cells, keys)
    write_table(job.folder / "summary.csv", cells.drop(columns=["val_bpb", "answers_right"]))
    write_table(job.folder / "comparison.csv", groups)
    winners = groups[groups["best"]]
    best = dict(zip(winners["text"], winners["group"], strict=True))
    return {"cells": len(cells), "groups": len(groups), "best": best}


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV table: unrounded numbers, empty where there is nothing."""
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
