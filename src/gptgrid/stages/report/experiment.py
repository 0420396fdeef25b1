"""What the report shows, read from the artifacts of an experiment into plain data.

Nothing is measured or ranked here: figures and ranks are those of `compare`. What could not be made is left
out, and named with the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import content_digest
from gptgrid.artifact.job import Job
from gptgrid.stages.report.budgets import fronts, laws, leaders
from gptgrid.stages.report.conditions import IMPORTED, conditions
from gptgrid.stages.report.curves import learning_curves
from gptgrid.stages.report.data import corpus_rows, encoding_rows, inputs_of
from gptgrid.stages.report.evaluations import group_evaluations
from gptgrid.stages.report.finetuning import read_finetuning
from gptgrid.stages.report.samples import missing_samples, read_samples, read_training_samples, worth_table
from gptgrid.stages.report.tables import (
    Row,
    assign_groups,
    label_groups,
    read_cautions,
    read_table,
    rows_of,
)

DATA = ("corpus:", "tokenizer:", "shards:")
"""How the names of inputs begin that the section on data describes."""
ENVIRONMENT = ("host", "cpu", "system", "python", "device", "threads", "libraries", "commit", "dirty")


@dataclass
class ReportContent:
    """Everything that stands in the report."""

    name: str
    texts: list[Row]
    """A corpus with its overrides: name, unit of its figures, key of the validation and test columns."""
    keys: list[str]
    """Overridden keys."""
    groups: list[Row]
    """comparison.csv, with label and variant (index of the label)."""
    cells: list[Row]
    """summary.csv, with the index of the group, the text, and the splits of the text if they are known."""
    references: list[Row]
    """Rows of comparison.csv that nothing ranks: what needs no network. `reason` says what that is, or why it
    is not known."""
    effects: list[Row]
    interactions: list[Row]
    cross: list[Row]
    """cross.csv: groups on the texts of others."""
    leaders: list[Row]
    """Of equal.csv the lowest group and the next at each budget."""
    fronts: list[Row]
    """Of pareto.csv the groups on a front."""
    laws: list[Row]
    """scaling.csv, without recipes of one size and budget."""
    checkpoints: list[Row]
    """checkpoints.csv: weights that trainings kept on their way."""
    finetuning: dict[str, Any] | None
    """What there is of fine-tuned cells: see `read_finetuning`."""
    evaluations: list[Row]
    """Of each group: see `group_evaluations`."""
    curves: list[Row]
    samples: list[Row]
    """But not of cells made from private text, which models may repeat."""
    training_samples: list[Row]
    worth: dict[str, Any]
    """What samples are worth: see `worth_table`."""
    corpora: list[Row]
    encodings: list[Row]
    """A tokenizer on a corpus."""
    environments: list[Row]
    cautions: dict[str, list[str]]
    """Text → what must be known about the figures on it."""
    conditions: list[Row]
    """Device, precision, versions of training and of scoring, with value → number of cells."""
    missing_data: dict[str, str]
    """Corpus, tokenizer or shards that could not be made → the reason."""
    missing_samples: dict[str, str]
    """Trained cell that could not be sampled → the reason."""
    accepted: dict[str, str]
    """Artifact of an older source that a person accepted → a sentence on it."""


def read_experiment(job: Job) -> ReportContent:
    """Read all inputs of the report's job.

    Raises:
        UserError: the tables could not be made.
    """
    if "compare" not in job.inputs:
        reason = job.failed.get("compare", "they are no input of the report")
        raise UserError(f"there is no report without summary.csv and comparison.csv: {reason}; run snakemake")
    tables = job.inputs["compare"]
    groups = read_table(tables / "comparison.csv")
    keys = [column for column in groups if "." in column]
    groups = label_groups(groups, keys)
    table = assign_groups(read_table(tables / "summary.csv"), groups)
    cells = rows_of(table)
    add_splits(job, cells)
    # What the configuration says now: results may have been made before a corpus became private.
    private = {cell.cell for cell in job.config.cells if cell.private}
    shown = [(number, cell) for number, cell in enumerate(cells) if cell["cell"] not in private]
    return ReportContent(
        name=job.config.experiment,
        texts=text_rows(cells),
        keys=keys,
        groups=rows_of(groups),
        cells=cells,
        references=reference_rows(tables),
        effects=rows_of(read_table(tables / "effects.csv")),
        interactions=rows_of(read_table(tables / "interactions.csv")),
        cross=rows_of(read_table(tables / "cross.csv")),
        leaders=leaders(rows_of(read_table(tables / "equal.csv"))),
        fronts=fronts(rows_of(read_table(tables / "pareto.csv"))),
        laws=laws(rows_of(read_table(tables / "scaling.csv"))),
        checkpoints=rows_of(read_table(tables / "checkpoints.csv")),
        finetuning=read_finetuning(job, tables),
        evaluations=group_evaluations(job, rows_of(groups), cells, private),
        curves=learning_curves(job, cells),
        samples=[row for number, cell in shown for row in read_samples(job, number, cell)],
        training_samples=[row for number, cell in shown for row in read_training_samples(job, number, cell)],
        worth=worth_table(rows_of(read_table(tables / "samples.csv")), rows_of(groups), cells),
        corpora=corpus_rows(job),
        encodings=encoding_rows(job),
        environments=environment_rows(job, cells),
        cautions=read_cautions(tables / "cautions.csv"),
        conditions=conditions(job, cells),
        missing_data={name: reason for name, reason in job.failed.items() if name.startswith(DATA)},
        missing_samples=missing_samples(job, cells),
        accepted=job.accepted,
    )


def reference_rows(tables: Path) -> list[Row]:
    """Return the rows of what needs no network, each with what summary.csv says of it."""
    groups, cells = (
        rows_of(read_table(tables / name, references=True)) for name in ("comparison.csv", "summary.csv")
    )
    return [group | {"reason": cell["reason"]} for group, cell in zip(groups, cells, strict=True)]


def add_splits(job: Job, cells: list[Row]) -> None:
    """Give each cell the counts of the splits that it was trained on; None where they are not known."""
    shards = [job.manifest(name) for name in inputs_of(job, "shards")]
    splits = {content_digest(manifest): manifest["facts"]["splits"] for manifest in shards}
    for cell in cells:
        name = f"train:{cell['cell']}"
        trained_on = job.manifest(name)["inputs"].get("shards") if name in job.inputs else None
        cell["splits"] = splits.get(trained_on)


def text_rows(cells: list[Row]) -> list[Row]:
    """Return the texts that figures compare on, with the figures that stand for each."""
    bits = {"unit": "bits per byte", "valid": "val_bpb", "test": "bpb"}
    nats = {"unit": "nats per token", "valid": "val_loss", "test": "test_loss"}
    texts = {cell["text"]: bits for cell in cells}
    # By the bytes of the text, not by the figures that there are: where all cells diverged there are none.
    for cell in cells:
        if cell["splits"] and not cell["splits"]["test"]["bytes"]:
            texts[cell["text"]] = nats
    return [{"name": name, **figures} for name, figures in texts.items()]


def environment_rows(job: Job, cells: list[Row]) -> list[Row]:
    """Return where cells were trained: one row for those that share machine, libraries and commit."""
    rows: dict[str, dict[str, Any]] = {}
    for cell in cells:
        if f"train:{cell['cell']}" not in job.inputs or cell["status"] == IMPORTED:
            continue
        provenance = job.provenance_of(f"train:{cell['cell']}")
        shared = {key: provenance.get(key) for key in ENVIRONMENT}
        row = rows.setdefault(json.dumps(shared, sort_keys=True), {**shared, "cells": 0, "times": []})
        row["cells"] += 1
        row["times"].append(provenance.get("time") or "")
    return [{**row, "first": min(row["times"]), "last": max(row["times"])} for row in rows.values()]
