"""The tables of `compare`, and what the page adds to them: labels of groups, the group of each cell."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

Row = dict[str, Any]
PARTS = ("tokenizer", "model", "training")
"""What a group is named by, beside its text."""
VERSIONS = ("python", "torch")
CONVENTION = ("convention", "definition")
WORDS = (
    *("cell", "group", "text", "corpus", *PARTS, *VERSIONS, *CONVENTION),
    *("device", "precision", "identity", "path", "status", "reason"),
    *("verdict", "covers", "loses_to", "trained_on"),
    *("axis", "value", "reference", "other_axis", "other_value"),
    *("decoding", "sampled", "unit", "judge"),
    *("base", "finetuning", "data"),
    *("budget", "machine", "validation_sample", "recipe", "form", "cautions"),
)
"""Columns of any table that hold words."""
REFERENCE = "reference"
"""The status of rows of what needs no network, which is no cell and no group."""
SCORED = tuple(f"{split}_documents{of}" for split in ("valid", "test") for of in ("", "_of_split"))
"""Of how many documents the figures are, and how many there are."""
COUNTS = (
    *("parameters", "non_embedding_parameters", "vocab_size", "train_tokens", *SCORED),
    *("seeds_needed", "rank", "cells", "samples", "ended", "longest_copy"),
    *("items", "trained_parameters", "dialogues", "dropped", "cut", "answer_tokens"),
)
"""Whole numbers of which some may be missing."""


def read_table(path: Path, references: bool = False) -> pd.DataFrame:
    """Return a CSV table: numbers exactly, words as they stand (even `NA`), gaps where nothing stands.

    Args:
        path: of the file.
        references: whether its rows of what needs no network are asked for, in place of all others.
    """
    rows = pd.read_csv(path, dtype="str", keep_default_na=False)
    if "status" in rows:
        rows = rows[(rows["status"] == REFERENCE) == references]
    # A word may look like a number. So may the value of an overridden key, which has a dot in its name.
    types = {column: "str" for column in rows if column in WORDS or "." in column}
    # Integers that may have gaps; FLOPs may be beyond the largest integer of 64 bits.
    types |= dict.fromkeys(COUNTS, "Int64") | {"train_flops": "float"}
    # Parsed once the rows that leave gaps are gone: these would make floats of integers.
    text = StringIO(rows.to_csv(index=False))
    return pd.read_csv(text, dtype=types, keep_default_na=False, na_values=[""])


def read_cautions(path: Path) -> dict[str, list[str]]:
    """Return text → what must be known about the figures on it."""
    table = pd.read_csv(path, dtype="str", keep_default_na=False)
    return {text: rows.tolist() for text, rows in table.groupby("text", sort=False)["caution"]}


def rows_of(table: pd.DataFrame) -> list[Row]:
    """Return a table as plain rows, None where a cell is empty."""
    objects = table.astype(object)
    return objects.where(objects.notna(), None).to_dict("records")


def label_groups(groups: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the groups, each with a short `label` (the parts that vary on some text) and its number.

    The number, `variant`, chooses colour and mark, the same on all texts. The best groups come first, so that
    they get different ones.
    """
    columns = [*PARTS, *(key for key in keys if not key.startswith("corpus."))]
    counts = groups.groupby("text")[columns].nunique(dropna=False).max()
    varying = [column for column in columns if counts[column] > 1] or ["model"]
    labels = [group_label(row, varying) for row in rows_of(groups)]
    groups = groups.assign(label=labels)
    variants = groups.sort_values("rank", kind="stable")["label"].unique()
    return groups.assign(variant=groups["label"].map({label: n for n, label in enumerate(variants)}))


def group_label(row: Row, columns: list[str]) -> str:
    """Return the parts of a group's name, as far as they stand in some columns."""
    names = [part_name(row, part, columns) for part in PARTS]
    return " · ".join(name for name in names if name)


def part_name(row: Row, part: str, columns: list[str]) -> str:
    """Return the name and the overrides of a part, as far as they stand in some columns."""
    overrides = [
        f"{key.split('.', 1)[1]}={row[key]}" for key in columns if key.startswith(f"{part}.") and row[key]
    ]
    # A part that is overridden only here and there needs its name where it is not.
    needed = part in columns or (not overrides and any(key.startswith(f"{part}.") for key in columns))
    return " ".join([row[part], *overrides] if needed else overrides)


def assign_groups(cells: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Return the cells, each with the number of its group (`group`) and its text."""
    seeds = "s" + cells["seed"].astype(str)
    names = [cell.removesuffix(f".{seed}") for cell, seed in zip(cells["cell"], seeds, strict=True)]
    numbered = groups[["group", "text"]].reset_index(names="number").set_index("group")
    members = numbered.loc[names].reset_index(drop=True)
    return cells.assign(group=members["number"], text=members["text"])
