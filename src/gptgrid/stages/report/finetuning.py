"""What the page says of fine-tuned cells: tables of `compare`, and some answers beside those of the base."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.report.tables import Row, read_cautions, read_table, rows_of

MOST = 8
"""Questions to a cell that the page has; answers.jsonl has all."""
ASKED = 4
"""Cells of which the page has questions: of the best group of each base and dialogues the first."""
LONGEST = 400
"""Characters of a text that are shown: of a longer one its beginning."""


def read_finetuning(job: Job, tables: Path) -> dict[str, Any] | None:
    """Return what the page says of fine-tuned cells; None without any.

    Args:
        job: of the report.
        tables: the folder of `compare`.

    Returns:
        `cells`, rows of finetuning.csv; `groups`, those of finetuning_comparison.csv; `questions`, some asked
        dialogues by cell; `definitions`, what evaluations say of their figures, by name; `failures`,
        fine-tuned cell → why it failed; `templates`, how bases read dialogues, `plain` or `chat` → which do;
        `cautions`, what must be known about the figures.
    """
    entries = getattr(job.config, "finetuned", [])
    if not entries or not (tables / "finetuning.csv").exists():
        return None
    cells = rows_of(read_table(tables / "finetuning.csv"))
    groups = rows_of(read_table(tables / "finetuning_comparison.csv"))
    return {
        "cells": cells,
        "groups": groups,
        "questions": list(islice(questions(job, entries, cells, groups), ASKED)),
        "definitions": definitions(job),
        "templates": templates(job, entries),
        "cautions": [
            f"{text}: {caution}"
            for text, of in read_cautions(tables / "cautions.csv").items()
            if text in {f"dialogues {entry.data}" for entry in entries}
            for caution in of
        ],
        "failures": {row["cell"]: row["reason"] for row in cells if row["status"] == "failed"},
    }


def templates(job: Job, entries: list[SimpleNamespace]) -> dict[str, list[str]]:
    """Return how bases read dialogues → the bases that do, as their evaluations say."""
    found: dict[str, dict[str, None]] = {}
    for entry in entries:
        folder = job.inputs.get(f"dialogues:{entry.base}:{entry.data}")
        if folder is not None:
            evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
            found.setdefault(evaluation["template"], {})[entry.base] = None
    return {template: list(bases) for template, bases in sorted(found.items(), reverse=True)}


def definitions(job: Job) -> dict[str, list[str]]:
    """Return figure → how it was measured; several ways where cells have unlike contexts."""
    found: dict[str, dict[str, None]] = {}
    for name, folder in job.inputs.items():
        if name.startswith("dialogues:"):
            evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
            for figure, definition in evaluation["definitions"].items():
                found.setdefault(figure, {})[definition] = None
    return {figure: list(texts) for figure, texts in found.items()}


def questions(
    job: Job, entries: list[SimpleNamespace], cells: list[Row], groups: list[Row]
) -> Iterator[dict[str, Any]]:
    """Yield for each best group the first of its cells with what it and its base answered.

    Nothing of private dialogues or cells is shown.

    Returns:
        `cell`, `base`, `data`, `asked` (how many were), and `rows`: question, reference, `before` and
        `after`, each a text and whether that is exactly right, None where that was not told.
    """
    shown = {entry.cell: entry for entry in entries if not entry.private}
    best = [group["group"] for group in groups if group["best"]]
    for group in best:
        for row in cells:
            names = [f"dialogues:{row[cell]}:{row['data']}" for cell in ("base", "cell")]
            if row["group"] != group or row["cell"] not in shown or not {*names} <= {*job.inputs}:
                continue
            before, after = (read_answers(job.inputs[name]) for name in names)
            both = [number for number in after if number in before]
            yield {
                **{key: row[key] for key in ("cell", "base", "data")},
                "asked": len(both),
                "rows": [side_by_side(before[number], after[number]) for number in both[:MOST]],
            }
            break


def read_answers(folder: Path) -> dict[int, Row]:
    """Return dialogue → its row of answers.jsonl, of those that show their texts."""
    with (folder / "answers.jsonl").open(encoding="utf-8") as file:
        return {row["dialogue"]: row for row in map(json.loads, file) if "answer" in row}


def side_by_side(before: Row, after: Row) -> Row:
    """Return what the page has of a question."""
    return {
        "question": beginning(after["messages"][-1]["content"]),
        "turns": len(after["messages"]) - 1,
        "reference": beginning(after["reference"]),
        **{
            name: {"text": beginning(row["answer"]), "exact": row["exact"]}
            for name, row in (("before", before), ("after", after))
        },
    }


def beginning(text: str) -> str:
    """Return what is shown of a text."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
