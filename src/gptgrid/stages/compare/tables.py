"""The tables of an experiment: one row a cell, and one row a group of cells that differ in the seed alone.

Figures are gathered and summarized, never measured; how they look is the business of the report. A training
that diverged has none: the weights that it kept are not the result of its recipe.
"""

from __future__ import annotations

import csv
import json
import math
import statistics
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scipy.special import stdtrit

from gptgrid.artifact.job import Job

NAMES = ("cell", "corpus", "tokenizer", "model", "training", "seed")
FIGURES = ("val_bpb", "val_loss", "test_loss", "perplexity", "bpb", "word_perplexity", "answers_right")
"""What comparison.csv gives a mean, a standard deviation and an interval. A diverged cell has none."""
DIVERGED = "diverged"
"""The status of a training whose loss left the finite numbers, or did not come back from a spike."""
Row = dict[str, Any]


def compare(job: Job) -> dict[str, Any]:
    """Write summary.csv and comparison.csv; return the facts."""
    keys = overridden_keys(job.config.cells)
    cells = [summary_row(job, cell, keys) for cell in job.config.cells]
    groups = compare_groups(cells, keys)
    columns = [column for column in cells[0] if column not in ("val_bpb", "answers_right")]
    write_table(job.folder / "summary.csv", cells, columns)
    write_table(job.folder / "comparison.csv", groups, list(groups[0]))
    best = {row["text"]: row["group"] for row in groups if row["best"]}
    return {"cells": len(cells), "groups": len(groups), "best": best}


def overridden_keys(cells: list[SimpleNamespace]) -> list[str]:
    """Return every overridden key, in the order of its first appearance."""
    return list(dict.fromkeys(key for cell in cells for key in vars(cell.overrides)))


def summary_row(job: Job, cell: SimpleNamespace, keys: list[str]) -> Row:
    """Return one cell's row: names, overrides, size, losses, speed, identity, how the training ended."""
    train = job.manifest(f"train:{cell.cell}")
    volatile = job.provenance_of(f"train:{cell.cell}")
    path = job.inputs[f"evaluate:{cell.cell}"] / "evaluation.json"
    evaluation = json.loads(path.read_text(encoding="utf-8"))
    facts = train["facts"]
    row = {
        **{name: getattr(cell, name) for name in NAMES},
        **{key: plain(value) for key, value in {**dict.fromkeys(keys, ""), **vars(cell.overrides)}.items()},
        **{key: facts[key] for key in ("parameters", "non_embedding_parameters", "vocab_size")},
        "train_tokens": facts["train_tokens"],
        "train_flops": facts["train_flops"],
        "val_loss": facts["val_loss"],
        "val_bpb": facts["val_bpb"],
        **{key: evaluation[key] for key in ("test_loss", "perplexity", "bpb", "word_perplexity")},
        "answers_right": (evaluation["questions"] or {}).get("right"),
        **{
            key: volatile.get(key)
            for key in ("tokens_per_second", "train_seconds", "peak_memory_mb", "device")
        },
        "identity": train["identity"],
        "path": cell.path,
        "status": facts["status"],
    }
    return row | dict.fromkeys(FIGURES) if facts["status"] == DIVERGED else row


def plain(value: Any) -> str:
    """Return an overriding value as it would stand in the configuration; a string as it is."""
    return value if isinstance(value, str) else json.dumps(value, default=vars)


def compare_groups(cells: list[Row], keys: list[str]) -> list[Row]:
    """Return one row for the cells that differ in the seed alone, with its rank within the corpus.

    Ranked by the mean of validation bits per byte (nats per token for corpora of bare ids): what is
    reported on the test split never selects.
    """
    groups: dict[str, list[Row]] = {}
    for row in cells:
        groups.setdefault(group_name(row), []).append(row)
    rows = [group_row(name, members, keys) for name, members in groups.items()]
    by_text: dict[str, list[Row]] = {}
    for row in rows:
        by_text.setdefault(row["text"], []).append(row)
    for rivals in by_text.values():
        rivals.sort(key=merit)
        for rank, row in enumerate(rivals, start=1):
            row["rank"], row["best"] = rank, rank == 1 and math.isfinite(merit(row))
    return rows


def group_name(row: Row) -> str:
    """Return a cell's name without its seed."""
    return row["cell"].removesuffix(f".s{row['seed']}")


def text_name(row: Row, keys: list[str]) -> str:
    """Return the corpus with its overrides, much as a cell is named: figures compare on one text alone."""
    overrides = ((key.removeprefix("corpus."), row[key]) for key in keys if key.startswith("corpus."))
    return row["corpus"] + "".join(f"+{key}={value}" for key, value in overrides if value)


def merit(row: Row) -> float:
    """Return what ranks a group, lower is better; infinity, the last rank, where it was not measured."""
    known = (value for value in (row["val_bpb_mean"], row["val_loss_mean"]) if value is not None)
    return next(known, math.inf)


def group_row(name: str, members: list[Row], keys: list[str]) -> Row:
    """Return a group's names, number of seeds, how many diverged, and the spread of each figure over them."""
    first = members[0]
    row = {
        "group": name,
        "text": text_name(first, keys),
        **{key: first[key] for key in NAMES if key not in ("cell", "seed")},
        **{key: first[key] for key in keys},
        "parameters": first["parameters"],
        "seeds": len(members),
        "diverged": sum(member["status"] == DIVERGED for member in members),
        "rank": None,
        "best": None,
    }
    for figure in FIGURES:
        values = [member[figure] for member in members]
        row |= {f"{figure}_{k}": v for k, v in spread(values, "perplexity" in figure).items()}
    return row


def spread(values: list[float | None], exponential: bool = False) -> dict[str, float | None]:
    """Return mean, sample standard deviation and the 95 % confidence interval of the mean (Student's t).

    An exponential of something, as a perplexity is, has the interval of its logarithm: it stays positive.
    None for what cannot be said: everything if a value is missing, all but the mean if there is one value.
    """
    if any(value is None for value in values):
        return dict.fromkeys(("mean", "std", "low", "high"))
    mean = statistics.fmean(values)
    if len(values) == 1:
        return {"mean": mean, "std": None, "low": None, "high": None}
    std = statistics.stdev(values)
    scale = [math.log(value) for value in values] if exponential else values
    half = float(stdtrit(len(scale) - 1, 0.975)) * statistics.stdev(scale) / math.sqrt(len(scale))
    low, high = statistics.fmean(scale) - half, statistics.fmean(scale) + half
    if exponential:
        # e^709 is about the largest double; a diverged seed can put the upper end beyond.
        low, high = math.exp(low), math.exp(high) if high < 709 else None
    return {"mean": mean, "std": std, "low": low, "high": high}


def write_table(path: Path, rows: list[Row], columns: list[str]) -> None:
    """Write columns of a CSV table: unrounded numbers, empty where there is nothing."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
