"""One row per cell: names, overrides, size, losses, speed, and how the cell ended.

What a row says of a training, from its size to its device, comes from the one artifact that the job names for
the cell; its losses come from the evaluation, which scores all cells alike. A cell that failed has a row
without figures. So has a training that diverged: the weights that it kept are not the result of its recipe.
And so have all cells of a text of which not the same documents were scored: nothing ranks them.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pandas as pd

from gptgrid.stages.compare.facts import Inputs

NAMES = ("cell", "corpus", "tokenizer", "model", "training", "seed")
SIZES = ("parameters", "non_embedding_parameters", "vocab_size", "train_tokens", "train_flops")
VALIDATION = ("val_loss", "val_bpb")
ANSWERS, TALES = "answers_right", "tales"
TEST = ("test_loss", "perplexity", "bpb", "word_perplexity", ANSWERS)
QUESTIONS = ("answers_asked", "answers_chance")
"""How many items of the task TALES `answers_right` is the share of, and the share that guessing gives."""
TASK, CHANCE = "task_", "chance_"
"""Before the name of a task: the share that was answered right, and the share that guessing gives."""
LOW, HIGH = "low_", "high_"
"""Before a share of right answers: the ends of its interval for other items; in comparison.csv alone."""
SCORED = ("valid_documents", "valid_documents_of_split", "test_documents", "test_documents_of_split")
"""Of how many documents the figures on a split are, and how many it has."""
CONVENTION = "convention"
"""From what each token is predicted: see evaluation.json. It is that of the training."""
DEFINITION = "definition"
"""The convention in a sentence, with context and stride: in comparison.csv alone."""
SPEED = ("tokens_per_second", "train_seconds", "peak_memory_mb")
VERSIONS = ("python", "torch")
HARDWARE = ("device", "precision")
FIGURES = ("val_bpb", "val_loss", *TEST)
"""What comparison.csv gives a mean, a standard deviation and an interval."""
DIVERGED = "diverged"
"""The status of a training whose loss stopped being finite, or did not come back from a spike."""
STOPPED = "stopped early"
"""The status of a training whose validation loss fell no more."""
IMPORTED = "imported"
"""The status of a model that others trained: how is not known here."""
FAILED = "failed"
"""The status of a cell whose training or evaluation could not be made."""
TAKE_BACK = "take back older results (gptgrid accept --undo) and run snakemake again"
Row = dict[str, Any]


def cell_table(inputs: Inputs, keys: list[str]) -> pd.DataFrame:
    """Return the rows of all cells in grid order.

    Columns hold objects: a column of integers with a gap would become one of floats.
    """
    columns = (
        *NAMES,
        *keys,
        *SIZES,
        *VALIDATION,
        *TEST,
        *QUESTIONS,
        *SCORED,
        CONVENTION,
        DEFINITION,
        *SPEED,
        *VERSIONS,
        *HARDWARE,
    )
    rows = [cell_row(inputs, cell) for cell in inputs.job.config.cells]
    of_tasks = (TASK, CHANCE, LOW, HIGH)
    columns += tuple(dict.fromkeys(key for row in rows for key in row if key.startswith(of_tasks)))
    refuse_unlike_texts(rows, keys)
    table = pd.DataFrame(rows, columns=[*columns, "identity", "path", "status", "reason"], dtype=object)
    table.loc[table["status"].isin((DIVERGED, FAILED)), figures_of(table)] = None
    return table


def figures_of(table: pd.DataFrame) -> list[str]:
    """Return the columns of which comparison.csv gives statistics."""
    return [*FIGURES, *(column for column in table if column.startswith(TASK))]


def ends_of(table: pd.DataFrame) -> list[str]:
    """Return the columns of the ends of intervals."""
    return [column for column in table if column.startswith((LOW, HIGH))]


def overridden_keys(cells: list[SimpleNamespace]) -> list[str]:
    """Return every overridden key, in the order of its first appearance."""
    return list(dict.fromkeys(key for cell in cells for key in vars(cell.overrides)))


def repeated_keys(cells: list[SimpleNamespace]) -> dict[str, list[str]]:
    """Return group → overridden keys that change nothing in their entry."""
    return {
        cell.cell.removesuffix(f".s{cell.seed}"): cell.repeated for cell in cells if hasattr(cell, "repeated")
    }


def cell_row(inputs: Inputs, cell: SimpleNamespace) -> Row:
    """Return what is known of one cell."""
    row = {name: getattr(cell, name) for name in NAMES} | {"path": cell.path}
    row |= {key: override_text(value) for key, value in vars(cell.overrides).items()}
    training, evaluation = f"train:{cell.cell}", f"evaluate:{cell.cell}"
    if training in inputs:
        row |= training_row(inputs, training)
    if evaluation in inputs:
        row |= evaluation_row(inputs, cell.cell)
    # A diverged training needs no evaluation.
    if training not in inputs or (evaluation not in inputs and row["status"] != DIVERGED):
        reason = inputs.job.failed.get(training) or inputs.job.failed.get(evaluation)
        row |= {"status": FAILED, "reason": reason}
    return row


def refuse_unlike_texts(rows: list[Row], keys: list[str]) -> None:
    """Take the cells on a text for failed if not the same documents of it were scored for all.

    Args:
        rows: of all cells; those on one text have the same corpus with the same overrides.
        keys: every overridden key.
    """
    of_text = ("corpus", *(key for key in keys if key.startswith("corpus.")))
    texts: dict[tuple, list[Row]] = {}
    for row in rows:
        if "scored" in row and row["status"] != DIVERGED:
            texts.setdefault(tuple(row.get(key) for key in of_text), []).append(row)
    for members in texts.values():
        parts = {row["scored"] for row in members}
        if len(parts) > 1:
            reason = (
                f"the evaluations of the {len(members)} cells on this text scored {len(parts)} different "
                f"selections of its documents, which do not compare; {TAKE_BACK}"
            )
            for row in members:
                row |= {"status": FAILED, "reason": reason}


def training_row(inputs: Inputs, name: str) -> Row:
    """Return size, speed and end of a training, an input of the job."""
    manifest, provenance = inputs.manifest(name), inputs.provenance(name)
    facts = manifest["facts"]
    return {
        **{key: facts[key] for key in SIZES},
        **{key: provenance.get(key) for key in (*SPEED, *HARDWARE, "python")},
        "torch": provenance.get("libraries", {}).get("torch"),
        "identity": manifest["identity"],
        "status": facts["status"],
        "reason": facts["ended"],
    }


def evaluation_row(inputs: Inputs, cell: str) -> Row:
    """Return the validation and test figures of a cell that was evaluated, and what was scored."""
    evaluation = inputs.evaluation(cell)
    if (valid := evaluation.get("valid")) is None:
        return {
            "status": FAILED,
            "reason": f"its evaluation is of an older source and scored the test split alone; {TAKE_BACK}",
        }
    tasks = evaluation.get("tasks", {})
    questions = tasks.get(TALES, {})
    shares = {ANSWERS if name == TALES else f"{TASK}{name}": task for name, task in tasks.items()}
    answers = {"right": "accuracy", "asked": "items", "chance": "chance"}
    evaluation = {
        **evaluation,
        **{f"answers_{key}": questions.get(figure) for key, figure in answers.items()},
    }
    return {
        "val_loss": valid["val_loss"],
        "val_bpb": valid["bpb"],
        **{key: evaluation[key] for key in (*TEST, *QUESTIONS, CONVENTION)},
        **{
            f"{split}_{key}": text[key]
            for split, text in (("valid", valid), ("test", evaluation))
            for key in ("documents", "documents_of_split")
        },
        **{f"{TASK}{name}": task["accuracy"] for name, task in tasks.items() if name != TALES},
        **{f"{CHANCE}{name}": task["chance"] for name, task in tasks.items() if name != TALES},
        **{f"{LOW}{share}": task["low"] for share, task in shares.items()},
        **{f"{HIGH}{share}": task["high"] for share, task in shares.items()},
        DEFINITION: evaluation[evaluation[CONVENTION]]["definition"],
        "scored": (valid["text_digest"], evaluation["text_digest"]),
    }


def override_text(value: Any) -> str:
    """Return an overriding value as it would stand in the configuration; a string as it is."""
    return value if isinstance(value, str) else json.dumps(value, default=vars)
