"""What the report shows, read from the artifacts of an experiment into plain data.

Nothing is measured or ranked here: figures and ranks are those of `compare`. Curves are brought to bits per
byte, where there are bytes, and rounded to what a screen can show.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gptgrid.artifact.identity import ABOUT, CARD, content_digest
from gptgrid.artifact.job import Job

Row = dict[str, Any]
PARTS = ("tokenizer", "model", "training")
"""What a group is named by, beside its text."""
ENDINGS = ("finished", "stopped early", "diverged")
"""What the status of a cell can be, from the best to the worst."""
SINGLE_CURVES = 60
"""Up to so many cells on a text have a curve each; beyond, a curve is the mean over a group's seeds."""
WORDS = ("cell", "group", "text", "corpus", *PARTS, "seed", "best", "device", "identity", "path", "status")
"""Columns that are no numbers; overridden keys, which have a dot in their name, are not either."""


@dataclass
class Experiment:
    """Everything that stands in the report."""

    name: str
    texts: list[Row]
    """A corpus with its overrides: name, unit of its figures, key of the validation and test columns."""
    keys: list[str]
    """Overridden keys."""
    groups: list[Row]
    """comparison.csv, with label and variant (index of the label)."""
    cells: list[Row]
    """summary.csv, with the index of the group, the sentence on how it ended, and the splits of its text."""
    curves: list[Row]
    samples: list[Row]
    """But not of models of private corpora, which may repeat their text."""
    training_samples: list[Row]
    corpora: list[Row]
    encodings: list[Row]
    """A tokenizer on a corpus."""
    environments: list[Row]


def gather(job: Job) -> Experiment:
    """Read all inputs of the report's job."""
    groups = read_table(job.inputs["compare"] / "comparison.csv")
    cells = read_table(job.inputs["compare"] / "summary.csv")
    keys = [column for column in groups[0] if "." in column]
    name_variants(groups, keys)
    join(job, cells, groups)
    corpora = [corpus_row(job, name) for name in inputs_of(job, "corpus")]
    private = {part_of(row["name"]) for row in corpora if row["private"]}
    shown = [(number, cell) for number, cell in enumerate(cells) if cell["corpus"] not in private]
    return Experiment(
        name=job.config.experiment,
        texts=texts_of(cells, groups),
        keys=keys,
        groups=groups,
        cells=cells,
        curves=curves_of(job, cells, groups),
        samples=[row for number, cell in shown for row in samples_of(job, "sample", number, cell)],
        training_samples=[row for number, cell in shown for row in samples_of(job, "train", number, cell)],
        corpora=corpora,
        encodings=encoding_rows(job),
        environments=environments_of(job, cells),
    )


def inputs_of(job: Job, kind: str) -> list[str]:
    """Return the names of the inputs of one kind."""
    return [name for name in job.inputs if name.startswith(f"{kind}:")]


# ----------------------------------------------------------------------------------------- tables


def read_table(path: Path) -> list[Row]:
    """Return the rows of a CSV table; numbers as numbers, None where a cell is empty."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [{column: read_value(column, text) for column, text in row.items()} for row in rows]


def read_value(column: str, text: str) -> Any:
    """Return what a cell of a table holds."""
    if column in WORDS or "." in column:
        return text
    return json.loads(text) if text else None


def name_variants(groups: list[Row], keys: list[str]) -> None:
    """Give each group a short label, the parts that vary on some text, and the label's number.

    The number chooses colour and mark, the same on all texts. The best groups come first, so that they get
    different ones.
    """
    columns = [*PARTS, *(key for key in keys if not key.startswith("corpus."))]
    values: dict[tuple[str, str], set[str]] = {}
    for group in groups:
        for column in columns:
            values.setdefault((group["text"], column), set()).add(group[column])
    varying = {column for (_, column), found in values.items() if len(found) > 1} or {"model"}
    for group in groups:
        named = (part_name(group, part, [key for key in columns if key in varying]) for part in PARTS)
        group["label"] = " · ".join(name for name in named if name)
    ranked = sorted(groups, key=lambda group: group["rank"])
    numbers = {label: n for n, label in enumerate(dict.fromkeys(group["label"] for group in ranked))}
    for group in groups:
        group["variant"] = numbers[group["label"]]


def part_name(row: Row, part: str, columns: list[str]) -> str:
    """Return the name and the overrides of a part, as far as they stand in some columns."""
    overrides = [
        f"{key.split('.', 1)[1]}={row[key]}" for key in columns if key.startswith(f"{part}.") and row[key]
    ]
    # A part that is overridden only here and there needs its name where it is not.
    needed = part in columns or (not overrides and any(key.startswith(f"{part}.") for key in columns))
    return " ".join([row[part], *overrides] if needed else overrides)


def join(job: Job, cells: list[Row], groups: list[Row]) -> None:
    """Tell each cell the index of its group, how its training ended, and the splits of its text."""
    index = {group["group"]: n for n, group in enumerate(groups)}
    shards = [job.manifest(name) for name in inputs_of(job, "shards")]
    splits = {content_digest(manifest): manifest["facts"]["splits"] for manifest in shards}
    for cell in cells:
        manifest = job.manifest(f"train:{cell['cell']}")
        cell["group"] = index[cell["cell"].removesuffix(f".s{cell['seed']}")]
        cell["ended"] = manifest["facts"]["ended"]
        cell["splits"] = splits[manifest["inputs"]["shards"]]


def texts_of(cells: list[Row], groups: list[Row]) -> list[Row]:
    """Return the texts that figures compare on, with the figures that stand for each."""
    # Not by the figures that there are: where all cells diverged there are none.
    found = {groups[cell["group"]]["text"]: bool(cell["splits"]["test"]["bytes"]) for cell in cells}
    bytes_known = {"unit": "bits per byte", "valid": "val_bpb", "test": "bpb"}
    ids_only = {"unit": "nats per token", "valid": "val_loss", "test": "test_loss"}
    return [{"name": name, **(bytes_known if text else ids_only)} for name, text in found.items()]


# ----------------------------------------------------------------------------------------- curves


def curves_of(job: Job, cells: list[Row], groups: list[Row]) -> list[Row]:
    """Return learning curves: of every cell on a text that has few, else of groups."""
    of_text: dict[str, list[Row]] = {}
    for cell in cells:
        metrics = read_table(job.inputs[f"train:{cell['cell']}"] / "metrics.csv")
        curve = {key: cell[key] for key in ("group", "seed", "status")}
        for key, split in (("val_loss", "valid"), ("train_loss", "train")):
            curve[key] = points(metrics, key, bits_per_nat(cell["splits"][split]))
        of_text.setdefault(groups[cell["group"]]["text"], []).append(curve)
    return [curve for curves in of_text.values() for curve in thin(curves)]


def bits_per_nat(split: Row) -> float:
    """Return what turns nats per token of a split into bits per byte; 1 where there are no bytes."""
    return (split["tokens"] - 1) / (math.log(2) * split["bytes"]) if split["bytes"] else 1.0


def points(metrics: list[Row], key: str, scale: float) -> list[list[float]]:
    """Return tokens and losses where a loss was measured, as two lists."""
    rows = [row for row in metrics if row[key] is not None]
    return [[row["tokens"] for row in rows], [rounded(row[key] * scale) for row in rows]]


def rounded(value: float) -> float:
    """Return five digits, more than a screen can show."""
    return float(f"{value:.5g}")


def thin(curves: list[Row]) -> list[Row]:
    """Return the curves of a text, or where they are many those of groups, which have no seed."""
    if len(curves) <= SINGLE_CURVES:
        return curves
    groups: dict[int, list[Row]] = {}
    for curve in curves:
        groups.setdefault(curve["group"], []).append(curve)
    return [
        {
            "group": group,
            "seed": None,
            # The mean ends where the first of its curves does.
            "status": max((curve["status"] for curve in members), key=ENDINGS.index),
            **{key: mean_points([curve[key] for curve in members]) for key in ("val_loss", "train_loss")},
        }
        for group, members in groups.items()
    ]


def mean_points(curves: list[list[list[float]]]) -> list[list[float]]:
    """Return the mean of curves at the tokens that all of them have."""
    losses = [dict(zip(*curve, strict=True)) for curve in curves]
    tokens = [at for at in losses[0] if all(at in others for others in losses)]
    return [tokens, [rounded(sum(loss[at] for loss in losses) / len(losses)) for at in tokens]]


# -------------------------------------------------------------------------------- samples and data


def samples_of(job: Job, stage: str, number: int, cell: Row) -> Iterable[Row]:
    """Yield the rows of a cell's samples.jsonl with the number of the cell."""
    path = job.inputs[f"{stage}:{cell['cell']}"] / "samples.jsonl"
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield {"cell": number, **json.loads(line)}


def corpus_row(job: Job, name: str) -> Row:
    """Return what the table of corpora says about one, and its data card."""
    facts = job.manifest(name)["facts"]
    about = facts[ABOUT]
    return {
        "name": name.removeprefix("corpus:"),
        "sources": sources_of(about["source"]),
        "license": about["license"],
        "private": about["private"],
        "dropped": sum(about.get("dropped", {}).values()),
        "leakage": about.get("leakage", {}).get("share"),
        "floor": about.get("floor_bpb", {}).get("test"),
        "card": (job.inputs[name] / CARD).read_text(encoding="utf-8"),
        **facts["splits"],
    }


def part_of(label: str) -> str:
    """Return the name of a corpus without its overrides, as cells give it."""
    return label.split("+", 1)[0]


def sources_of(source: Row) -> list[str]:
    """Return what a corpus was read from."""
    return [file["name"] for file in source["files"]] if "files" in source else [source["name"]]


def encoding_rows(job: Job) -> list[Row]:
    """Return what the table of tokenizers says about each on each corpus."""
    kinds = {}
    for name in inputs_of(job, "tokenizer"):
        manifest = job.manifest(name)
        kinds[manifest["outputs"]["codec.json"]["sha256"]] = manifest["facts"]["kind"]
    rows = []
    for name in inputs_of(job, "shards"):
        facts = job.manifest(name)["facts"]
        tokenizer, corpus = name.removeprefix("shards:").split("@", 1)
        rows.append(
            {
                "tokenizer": tokenizer,
                "corpus": corpus,
                "kind": kinds.get(facts["tokenizer"]),
                "vocab_size": facts["vocab_size"],
                "about": facts.get(ABOUT),
                "tokens": {split: counts["tokens"] for split, counts in facts["splits"].items()},
                "bytes_per_token": {
                    split: bytes_per_token(counts, facts["eot"]) for split, counts in facts["splits"].items()
                },
            }
        )
    return rows


def bytes_per_token(counts: Row, eot: int | None) -> float | None:
    """Return bytes per token of text, end-of-text tokens aside; None where there are no bytes."""
    tokens = counts["tokens"] - (counts["documents"] if eot is not None else 0)
    return counts["bytes"] / tokens if counts["bytes"] and tokens else None


# ------------------------------------------------------------------------------------- provenance


def environments_of(job: Job, cells: list[Row]) -> list[Row]:
    """Return where cells were trained: one row for those that share machine, libraries and commit."""
    found: dict[str, Row] = {}
    for cell in cells:
        facts = job.provenance_of(f"train:{cell['cell']}")
        keys = ("host", "cpu", "system", "python", "device", "threads", "libraries", "commit", "dirty")
        shared = {key: facts.get(key) for key in keys}
        row = found.setdefault(json.dumps(shared, sort_keys=True), {**shared, "cells": 0, "times": []})
        row["cells"] += 1
        row["times"].append(facts.get("time") or "")
    return [{**row, "first": min(row["times"]), "last": max(row["times"])} for row in found.values()]
