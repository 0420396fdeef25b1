"""Samples, and what they are worth: the rows that the page shows of both."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.report.tables import Row

MOST = 8
"""Samples of a cell under one decoding that the page has; samples.jsonl has all."""
LONGEST_PROMPT = 300
"""Characters of a prompt that are shown: of a longer one its end."""


def read_samples(job: Job, number: int, cell: Row) -> Iterator[Row]:
    """Yield the first rows of a cell's samples.jsonl with the number of the cell; none without such a file.

    `copy` says what of a sample stands in the training text, as far as that is known and anything does.
    """
    name = f"sample:{cell['cell']}"
    if name not in job.inputs:
        return
    unit = job.manifest(name)["facts"].get("unit")
    shown: Counter[str] = Counter()
    with (job.inputs[name] / "samples.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            shown[row["decoding"]] += 1
            if shown[row["decoding"]] <= MOST:
                kept = {key: row[key] for key in ("decoding", "text", "tokens", "ended")}
                copy = f"{row['longest_copy']} {unit} in a row" if row.get("longest_copy") else None
                yield {"cell": number, "prompt": ending(row["prompt"]), **kept, "copy": copy}


def ending(prompt: str) -> str:
    """Return what is shown of a prompt."""
    return prompt if len(prompt) <= LONGEST_PROMPT else f"… {prompt[-LONGEST_PROMPT:]}"


def read_training_samples(job: Job, number: int, cell: Row) -> Iterator[Row]:
    """Yield what a cell wrote while it was trained, with the number of the cell."""
    name = f"train:{cell['cell']}"
    if name not in job.inputs:
        return
    with (job.inputs[name] / "samples.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield {"cell": number, **json.loads(line)}


def missing_samples(job: Job, cells: list[Row]) -> dict[str, str]:
    """Return the cells that were trained but could not be sampled, with the reason."""
    trained = [cell["cell"] for cell in cells if f"train:{cell['cell']}" in job.inputs]
    return {cell: job.failed[f"sample:{cell}"] for cell in trained if f"sample:{cell}" in job.failed}


def worth_table(rows: list[Row], groups: list[Row], cells: list[Row]) -> dict[str, Any]:
    """Return what samples are worth, the best groups of each text first.

    Args:
        rows: of samples.csv.
        groups: of comparison.csv.
        cells: of summary.csv.

    Returns:
        `rows`, with `about`, the group, and `seed`; `truths`, those of true continuations; both with
        `judged_by`, the label of the group of the judge; `units`, what is counted; `compared`,
        whether there are true continuations to compare with.
    """
    about = {group["group"]: group for group in groups}
    seeds = {cell["cell"]: cell["seed"] for cell in cells}
    labels = {row["cell"]: about[row["group"]]["label"] for row in rows if row["cell"] is not None}
    rows = [{**row, "judged_by": labels.get(row["judge"])} for row in rows]
    texts = list(dict.fromkeys(row["text"] for row in rows))
    found = [
        {**row, "about": about[row["group"]], "seed": seeds[row["cell"]]}
        for row in rows
        if row["cell"] is not None and row["decoding"] is not None
    ]
    found.sort(key=lambda row: (texts.index(row["text"]), row["about"]["rank"]))
    return {
        "rows": found,
        "truths": [row for row in rows if row["cell"] is None],
        "units": " or ".join(dict.fromkeys(row["unit"] for row in found)),
        "compared": any(row["chrf"] is not None for row in found),
    }
