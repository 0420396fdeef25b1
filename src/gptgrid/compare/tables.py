"""The tables of an experiment: one row a cell, and one row a group of cells that differ in the seed alone."""

from __future__ import annotations

import csv
import json
import math
import statistics
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scipy import stats

from gptgrid.stage import Job

NAMES = ("cell", "corpus", "tokenizer", "model", "training", "seed")
FIGURES = ("val_bpb", "val_loss", "test_loss", "perplexity", "bpb", "word_perplexity")
"""What comparison.csv gives a mean, a standard deviation and an interval."""
Row = dict[str, Any]


def compare(job: Job) -> dict[str, Any]:
    """Write summary.csv and comparison.csv; return the facts."""
    keys = overridden_keys(job.config.cells)
    cells = [summary_row(job, cell, keys) for cell in job.config.cells]
    write_table(
        job.folder / "summary.csv", [{k: v for k, v in row.items() if k != "val_bpb"} for row in cells]
    )
    groups = compare_groups(cells, keys)
    write_table(job.folder / "comparison.csv", groups)
    best = [row["group"] for row in groups if row["best"]]
    return {"cells": len(cells), "groups": len(groups), "best": best}


def overridden_keys(cells: list[SimpleNamespace]) -> list[str]:
    """Return every overridden key, in the order of its first appearance."""
    return list(dict.fromkeys(key for cell in cells for key in vars(cell.overrides)))


def summary_row(job: Job, cell: SimpleNamespace, keys: list[str]) -> Row:
    """Return one cell's row: names, overrides, size, losses, speed, identity."""
    train = job.manifest(f"train:{cell.cell}")
    volatile = job.provenance_of(f"train:{cell.cell}")
    path = job.inputs[f"evaluate:{cell.cell}"] / "evaluation.json"
    evaluation = json.loads(path.read_text(encoding="utf-8"))
    facts = train["facts"]
    return {
        **{name: getattr(cell, name) for name in NAMES},
        **{key: vars(cell.overrides).get(key) for key in keys},
        **{key: facts[key] for key in ("parameters", "non_embedding_parameters", "vocab_size")},
        "train_tokens": facts["train_tokens"],
        "train_flops": facts["train_flops"],
        "val_loss": facts["val_loss"],
        "val_bpb": facts["val_bpb"],
        **{key: evaluation[key] for key in ("test_loss", "perplexity", "bpb", "word_perplexity")},
        **{
            key: volatile.get(key)
            for key in ("tokens_per_second", "train_seconds", "peak_memory_mb", "device")
        },
        "identity": train["identity"],
        "path": cell.path,
    }


def compare_groups(cells: list[Row], keys: list[str]) -> list[Row]:
    """Return one row for the cells that differ in the seed alone, with its rank within the corpus.

    Ranked by the mean of validation bits per byte (nats per token for corpora of bare ids): what is
    reported on the test split never selects.
    """
    groups: dict[str, list[Row]] = {}
    for row in cells:
        groups.setdefault(group_name(row), []).append(row)
    rows = [group_row(name, members, keys) for name, members in groups.items()]
    by_text: dict[tuple, list[Row]] = {}
    for row in rows:
        # An override of the corpus makes it another text, on which nothing compares.
        text = (row["corpus"], *(row[key] for key in keys if key.startswith("corpus.")))
        by_text.setdefault(text, []).append(row)
    for rivals in by_text.values():
        rivals.sort(key=lambda row: first_number(row["val_bpb_mean"], row["val_loss_mean"]))
        for rank, row in enumerate(rivals, start=1):
            row["rank"], row["best"] = rank, rank == 1
    return rows


def group_name(row: Row) -> str:
    """Return a cell's name without its seed."""
    return row["cell"].removesuffix(f".s{row['seed']}")


def first_number(*values: float | None) -> float:
    """Return the first value that is a number; infinity, the last rank, if none is."""
    return next((value for value in values if value is not None and math.isfinite(value)), math.inf)


def group_row(name: str, members: list[Row], keys: list[str]) -> Row:
    """Return a group's names, number of seeds, and the spread of each figure over them."""
    first = members[0]
    row = {
        "group": name,
        **{key: first[key] for key in NAMES if key not in ("cell", "seed")},
        **{key: first[key] for key in keys},
        "parameters": first["parameters"],
        "seeds": len(members),
        "rank": None,
        "best": None,
    }
    for figure in FIGURES:
        row |= {f"{figure}_{k}": v for k, v in spread([member[figure] for member in members]).items()}
    return row


def spread(values: list[float | None]) -> dict[str, float | None]:
    """Return mean, sample standard deviation and the 95 % confidence interval of the mean (Student's t).

    None for what cannot be said: everything if a value is missing, all but the mean if there is one value.
    """
    if any(value is None for value in values):
        return dict.fromkeys(("mean", "std", "low", "high"))
    mean = statistics.fmean(values)
    if len(values) == 1:
        return {"mean": mean, "std": None, "low": None, "high": None}
    std = statistics.stdev(values)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * std / math.sqrt(len(values))
    return {"mean": mean, "std": std, "low": mean - half, "high": mean + half}


def write_table(path: Path, rows: list[Row]) -> None:
    """Write a CSV table: unrounded numbers, empty where there is nothing."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
