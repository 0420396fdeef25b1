"""Which cells share a scaling law: those of one text, tokenizer and recipe, at several sizes and budgets.

Losses of different tokenizers or texts do not have E in common. Nor do those of different recipes: cells of
a study differ in their size and budget, and in what is chosen anew for each, as the learning rate is. Of
several such choices at one size and budget the one with the lowest validation loss counts.
"""

from __future__ import annotations

import csv
import json
from math import isclose
from types import SimpleNamespace

import numpy as np
import pandas as pd

from gptgrid.stages.compare.cells import DIVERGED
from gptgrid.stages.compare.facts import Inputs
from gptgrid.trainer.schedule import learning_rate

SIZE = ("n_layer", "n_head", "base_n_head", "n_kv_head", "head_dim", "d_model", "d_ff")
"""Keys of a model that make it larger."""
OF_EACH = (
    *("tokens", "epochs", "steps"),
    *("lr", "min_lr", "warmup", "cooldown", "batch_tokens", "weight_decay", "betas", "eps", "momentum"),
    *("grad_clip", "micro_batch", "threads", "eval_every", "eval_bytes", "patience"),
    *("sample_every", "sample_prompt", "checkpoints"),
)
"""Keys of a training that are the budget, are chosen anew for each size and budget, or change no loss."""
NEAR = 1.05
"""Times as much is the same size or budget: whole steps reach it by more or less."""
SCALES = ("parameters", "train_tokens")
"""N and D."""
STUDY = ("text", "tokenizer", "recipe")


def studies(inputs: Inputs, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the trained cells with their study, `STUDY`.

    Two columns say what speaks against a cell's place in a law: `epochs`, how often it read its text, and
    `continued`, whether it goes on from a shorter training that is not the beginning of one of its own
    budget. A constant rate that falls at the end (WSD) can be shared by several budgets.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells, with `text` and `group`.
    """
    trained = [is_trained(inputs, cell) for cell in inputs.job.config.cells]
    asked = [cell for cell, here in zip(inputs.job.config.cells, trained, strict=True) if here]
    rows = cells[trained].assign(
        tokenizer=[cell.shards.split("@", 1)[0] for cell in asked],
        continued=[is_continued_otherwise(inputs, cell) for cell in asked],
        epochs=[epochs(inputs, cell) for cell in asked],
    )
    return rows.assign(recipe=labels([cell.shards for cell in asked], [recipe_of(inputs, c) for c in asked]))


def is_trained(inputs: Inputs, cell: SimpleNamespace) -> bool:
    """Say whether a cell was trained here."""
    return bool((inputs.facts(f"train:{cell.cell}") or {}).get("train_tokens"))


def recipe_of(inputs: Inputs, cell: SimpleNamespace) -> dict[str, str]:
    """Return what all cells of a study have in common: key → value as JSON."""
    config = inputs.manifest(f"train:{cell.cell}")["config"]
    values = {
        **{f"model.{key}": value for key, value in config.get("model", {}).items() if key not in SIZE},
        **{
            f"training.{key}": value
            for key, value in config.get("training", {}).items()
            if key not in OF_EACH
        },
        "training.use": cell.use,
    }
    return {key: json.dumps(value) for key, value in values.items()}


def labels(shards: list[str], recipes: list[dict[str, str]]) -> list[str]:
    """Return what tells the recipe of each cell from the others on the same shards: `key=value, …`."""
    rivals: dict[str, list[dict[str, str]]] = {}
    for name, recipe in zip(shards, recipes, strict=True):
        rivals.setdefault(name, []).append(recipe)
    varied = {}
    for name, group in rivals.items():
        keys = dict.fromkeys(key for recipe in group for key in recipe)
        varied[name] = [key for key in keys if len({recipe.get(key, "null") for recipe in group}) > 1]
    return [
        ", ".join(f"{key}={recipe.get(key, 'null')}" for key in varied[name])
        for name, recipe in zip(shards, recipes, strict=True)
    ]


def is_continued_otherwise(inputs: Inputs, cell: SimpleNamespace) -> bool:
    """Say whether a training had another learning rate, or weight decay, in the one that it continues than it
    would have had from the start."""
    manifest = inputs.manifest(f"train:{cell.cell}")
    if "parent" not in manifest["inputs"]:
        return False
    if manifest["config"]["training"].get("weight_decay") == "auto":
        return True  # it is of each budget
    recipe, steps = SimpleNamespace(**manifest["config"]["training"]), manifest["facts"]["steps"]
    path = inputs.job.inputs[f"train:{cell.cell}"] / "metrics.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rates = [(int(row["step"]), float(row["lr"])) for row in csv.DictReader(file)]
    return any(not isclose(rate, learning_rate(recipe, step - 1, steps)) for step, rate in rates)


def epochs(inputs: Inputs, cell: SimpleNamespace) -> float:
    """Return how often a training read its text, in tokens; 0 where that is not known."""
    shards = inputs.facts(f"shards:{cell.shards}")
    tokens = inputs.facts(f"train:{cell.cell}")["train_tokens"]
    return tokens / shards["splits"]["train"]["tokens"] if shards else 0.0


def why_left_out(members: pd.DataFrame) -> pd.Series:
    """Return for each cell of a study why it does not count; None if it does."""
    reasons = pd.Series(None, index=members.index, dtype=object)
    reasons[members["val_loss"].isna()] = "it has no validation loss"
    reasons[members["status"] != "finished"] = members["status"]
    diverged = members["status"].eq(DIVERGED).groupby(members["group"]).transform("any")
    reasons[diverged & reasons.isna()] = "another seed diverged"
    left = members[reasons.isna()]
    places = [steps(left[scale]) for scale in SCALES]
    means = left["val_loss"].astype(float).groupby(left["group"]).transform("mean")
    lowest = means.groupby(places).transform("min")
    reasons[left.index[means > lowest]] = "another recipe has a lower loss at this size and budget"
    return reasons


def steps(values: pd.Series) -> pd.Series:
    """Return numbers from 0 for rising values, the same for those within `NEAR` times the least of them."""
    order = values.astype(float).sort_values()
    numbers, number, least = [], -1, -np.inf
    for value in order:
        if value > NEAR * least:
            number, least = number + 1, value
        numbers.append(number)
    return pd.Series(numbers, index=order.index, dtype=int).reindex(values.index)
