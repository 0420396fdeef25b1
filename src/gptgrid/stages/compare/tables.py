"""The tables of an experiment: summary.csv has one row per cell, comparison.csv one per group of cells,
effects.csv one for each thing that varies alone, interactions.csv for two such, and cautions.csv one for each
reason to doubt them.

A group is the cells that differ in their seed alone. Figures are collected and summarized here, never
measured; how they look is the business of the report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from gptgrid.artifact.job import Job
from gptgrid.stages.compare.cautions import cautions
from gptgrid.stages.compare.cells import DEFINITION, cell_table, ends_of, overridden_keys, repeated_keys
from gptgrid.stages.compare.cross import cross_table, of_cross
from gptgrid.stages.compare.documents import read_scores
from gptgrid.stages.compare.effects import effect_tables
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.finetuning import finetuning_tables
from gptgrid.stages.compare.finetuning_cautions import of_finetuning
from gptgrid.stages.compare.groups import group_names, group_table, text_names
from gptgrid.stages.compare.guessing import guessing_columns
from gptgrid.stages.compare.references import References
from gptgrid.stages.compare.samples import of_samples, sample_table, summary_columns
from gptgrid.stages.compare.verdicts import with_verdicts
from gptgrid.stages.compare.views import view_tables


def compare(job: Job) -> dict[str, Any]:
    """Write the tables, and print the cautions; return the facts."""
    inputs, keys = Inputs(job), overridden_keys(job.config.cells)
    cells = cell_table(inputs, keys)
    summary = cells.drop(columns=["val_bpb", DEFINITION, *ends_of(cells)])
    cells = cells.assign(group=group_names(cells), text=text_names(cells, keys), **guessing_columns(inputs))
    references = References(inputs, cells)
    scores = read_scores(inputs, cells)
    groups = references.marked(with_verdicts(group_table(cells, keys, scores), scores))
    doubts = [
        (text, doubt) for text, doubts in cautions(inputs, cells, groups, scores).items() for doubt in doubts
    ]
    crossed = cross_table(inputs, cells, groups, scores)
    doubts += of_cross(crossed)
    samples = sample_table(inputs, cells)
    doubts += of_samples(samples)
    doubts += of_finetuning(inputs)
    for text, doubt in doubts:
        print(f"caution: {text}: {doubt}", flush=True)
    summary = with_columns(summary, summary_columns(samples, cells["cell"]))
    write_table(job.folder / "summary.csv", references.below(references.marked(summary)))
    write_table(job.folder / "comparison.csv", references.below(groups))
    write_table(job.folder / "cautions.csv", pd.DataFrame(doubts, columns=["text", "caution"]))
    effects, interactions = effect_tables(groups, keys, scores, repeated_keys(job.config.cells))
    write_table(job.folder / "effects.csv", effects)
    write_table(job.folder / "interactions.csv", interactions)
    write_table(job.folder / "cross.csv", crossed)
    write_table(job.folder / "samples.csv", samples)
    for name, table in {**view_tables(inputs, cells), **finetuning_tables(inputs)}.items():
        write_table(job.folder / name, table)
    winners = groups[groups["best"]]
    best = dict(zip(winners["text"], winners["group"], strict=True))
    return {"cells": len(cells), "groups": len(groups), "best": best}


def with_columns(summary: pd.DataFrame, columns: dict[str, list[Any]]) -> pd.DataFrame:
    """Return the rows of summary.csv with more columns, before those that say which artifact a row is of."""
    wider, place = summary.copy(), summary.columns.get_loc("identity")
    for offset, (name, values) in enumerate(columns.items()):
        wider.insert(place + offset, name, pd.Series(values, dtype=object))
    return wider


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV table: unrounded numbers, empty where there is nothing."""
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
