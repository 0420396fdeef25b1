"""The tables of an experiment: summary.csv has one row per cell, comparison.csv one per group of cells, and
cautions.csv one for each reason to doubt them.

A group is the cells that differ in their seed alone. Figures are collected and summarized here, never
measured; how they look is the business of the report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from gptgrid.artifact.job import Job
from gptgrid.stages.compare.cautions import cautions
from gptgrid.stages.compare.cells import DEFINITION, cell_table, overridden_keys
from gptgrid.stages.compare.groups import group_names, group_table, text_names
from gptgrid.stages.compare.guessing import guessing_columns


def compare(job: Job) -> dict[str, Any]:
    """Write summary.csv, comparison.csv and cautions.csv, and print the cautions; return the facts."""
    keys = overridden_keys(job.config.cells)
    cells = cell_table(job, keys)
    summary = cells.drop(columns=["val_bpb", DEFINITION])
    cells = cells.assign(group=group_names(cells), text=text_names(cells, keys), **guessing_columns(job))
    groups = group_table(cells, keys)
    doubts = [(text, doubt) for text, doubts in cautions(job, cells, groups).items() for doubt in doubts]
    for text, doubt in doubts:
        print(f"caution: {text}: {doubt}", flush=True)
    write_table(job.folder / "summary.csv", summary)
    write_table(job.folder / "comparison.csv", groups)
    write_table(job.folder / "cautions.csv", pd.DataFrame(doubts, columns=["text", "caution"]))
    winners = groups[groups["best"]]
    best = dict(zip(winners["text"], winners["group"], strict=True))
    return {"cells": len(cells), "groups": len(groups), "best": best}


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV table: unrounded numbers, empty where there is nothing."""
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
