"""One row per cell: names, overrides, size, losses, speed, and how the cell ended.

What a row says of a training, from its loss to its device, comes from the one artifact that the job names for
the cell. A cell that failed has a row without figures. So has a training that diverged: the weights that it
kept are not the result of its recipe.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pandas as pd

from gptgrid.artifact.job import Job

NAMES = ("cell", "corpus", "tokenizer", "model", "training", "seed")
SIZES = ("parameters", "non_embedding_parameters", "vocab_size", "train_tokens", "train_flops")
VALIDATION = ("val_loss", "val_bpb")
TEST = ("test_loss", "perplexity", "bpb", "word_perplexity", "answers_right")
SPEED = ("tokens_per_second", "train_seconds", "peak_memory_mb")
VERSIONS = ("python", "torch")
HARDWARE = ("device", "precision")
FIGURES = ("val_bpb", "val_loss", *TEST)
"""What comparison.csv gives a mean, a standard deviation and an interval."""
DIVERGED = "diverged"
"""The status of a training whose loss stopped being finite, or did not come back from a spike."""
FAILED = "failed"
"""The status of a cell whose training or evaluation could not be made."""
Row = dict[str, Any]


def cell_table(job: Job, keys: list[str]) -> pd.DataFrame:
    """Return the rows of all cells in grid order.

    Columns hold objects: a column of integers with a gap would become one of floats.
    """
    columns = (*NAMES, *keys, *SIZES, *VALIDATION, *TEST, *SPEED, *VERSIONS, *HARDWARE)
    rows = [cell_row(job, cell) for cell in job.config.cells]
    table = pd.DataFrame(rows, columns=[*columns, "identity", "path", "status", "reason"], dtype=object)
    table.loc[table["status"].isin((DIVERGED, FAILED)), list(FIGURES)] = None
    return table


def overridden_keys(cells: list[SimpleNamespace]) -> list[str]:
    """Return every overridden key, in the order of its first appearance."""
    return list(dict.fromkeys(key for cell in cells for key in vars(cell.overrides)))


def cell_row(job: Job, cell: SimpleNamespace) -> Row:
    """Return what is known of one cell."""
    row = {name: getattr(cell, name) for name in NAMES} | {"path": cell.path}
    row |= {key: override_text(value) for key, value in vars(cell.overrides).items()}
    training, evaluation = f"train:{cell.cell}", f"evaluate:{cell.cell}"
    if training in job.inputs:
        row |= training_row(job, training, getattr(cell, "use", "best"))
    if evaluation in job.inputs:
        row |= evaluation_row(job, evaluation)
    # A diverged training needs no evaluation.
    if training not in job.inputs or (evaluation not in job.inputs and row["status"] != DIVERGED):
        reason = job.failed.get(training) or job.failed.get(evaluation)
        row |= {"status": FAILED, "reason": reason}
    return row


def training_row(job: Job, name: str, use: str) -> Row:
    """Return size, validation loss, speed and end of a training.

    Args:
        job: what has the training among its inputs.
        name: of the input.
        use: "best" for the weights of lowest validation loss, "last" for those of the last step.
    """
    manifest, provenance = job.manifest(name), job.provenance_of(name)
    facts = manifest["facts"]
    prefix = "last_" if use == "last" else ""
    return {
        **{key: facts[key] for key in SIZES},
        **{key: facts[f"{prefix}{key}"] for key in VALIDATION},
        **{key: provenance.get(key) for key in (*SPEED, *HARDWARE, "python")},
        "torch": provenance.get("libraries", {}).get("torch"),
        "identity": manifest["identity"],
        "status": facts["status"],
        "reason": facts["ended"],
    }


def evaluation_row(job: Job, name: str) -> Row:
    """Return the test figures of an evaluation."""
    evaluation = json.loads((job.inputs[name] / "evaluation.json").read_text(encoding="utf-8"))
    evaluation["answers_right"] = (evaluation["questions"] or {}).get("right")
    return {key: evaluation[key] for key in TEST}


def override_text(value: Any) -> str:
    """Return an overriding value as it would stand in the configuration; a string as it is."""
    return value if isinstance(value, str) else json.dumps(value, default=vars)
