"""What the training of a cell cost.

Seconds are those of one kind of machine, so that only trainings on the same kind compare by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pandas as pd

from gptgrid.stages.compare.cells import DIVERGED, FAILED
from gptgrid.stages.compare.facts import Inputs
from gptgrid.words import counted

BUDGETS = ("tokens", "bytes", "flops", "seconds")
"""What a training spends: tokens that its loss counts, UTF-8 bytes of their text, FLOPs, seconds without
validation."""
MEASURED = 0.99
"""Share of the tokens of a training whose seconds must be known: those of a parent may not have been kept."""
Row = dict[str, Any]


def grouped(inputs: Inputs, cells: pd.DataFrame) -> list[list[Row]]:
    """Return the rows of the cells of each group, in grid order, with `spent`, what each cost, and `machine`;
    and how fast it generates, see `generation_of`.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells, with `text` and `group`.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row, cell in zip(cells.to_dict("records"), inputs.job.config.cells, strict=True):
        spent = costs_of(inputs, cell)
        row |= {"spent": spent, "machine": spent.pop("machine", None), **generation_of(inputs, cell)}
        groups.setdefault((row["text"], row["group"]), []).append(row)
    return list(groups.values())


def costs_of(inputs: Inputs, cell: SimpleNamespace) -> Row:
    """Return what a cell spent of `BUDGETS`, and on which machine; empty if it was not trained here.

    None where it is not known: bytes of bare ids, seconds that were not kept.
    """
    name = f"train:{cell.cell}"
    facts = inputs.facts(name) or {}
    if not (tokens := facts.get("train_tokens")):
        return {}
    train = (inputs.facts(f"shards:{cell.shards}") or {}).get("splits", {}).get("train", {})
    provenance = inputs.provenance(name)
    seconds, speed = provenance.get("train_seconds"), provenance.get("tokens_per_second")
    whole = seconds and speed and seconds * speed >= MEASURED * tokens
    return {
        "tokens": float(tokens),
        "bytes": tokens * (train["bytes"] / train["tokens"]) if train.get("bytes") else None,
        "flops": float(facts["train_flops"]),
        "seconds": seconds if whole else None,
        "machine": machine_of(provenance),
    }


def generation_of(inputs: Inputs, cell: SimpleNamespace) -> Row:
    """Return how many bytes of text a cell generates in a second, by its samples, and on which machine.

    By bytes, as tokens of different vocabularies are texts of different length. None for bare ids.
    """
    provenance = inputs.provenance(f"sample:{cell.cell}")
    return {
        "generated_bytes_per_second": provenance.get("bytes_per_second"),
        "generated_on": machine_of(provenance),
    }


def machine_of(provenance: Row) -> str | None:
    """Return the kind of machine that made something, in a few words."""
    return ", ".join(filter(None, (provenance.get("device"), provenance.get("cpu")))) or None


def why_without_figures(group: list[Row]) -> str | None:
    """Return why a group has no figures; None if it has.

    Cells that failed say nothing of a recipe and are left out; one that diverged says that it does not work.
    """
    if not measured(group):
        return "all cells failed"
    if diverged := sum(row["status"] == DIVERGED for row in group):
        return f"{diverged} of {counted(len(group), 'cell')} diverged"
    return None


def measured(group: list[Row]) -> list[Row]:
    """Return the cells of a group that did not fail."""
    return [row for row in group if row["status"] != FAILED]


def shared(values: Iterable[str | None]) -> str | None:
    """Return the value that all have; None if they differ, or have none."""
    found = set(values)
    return found.pop() if len(found) == 1 else None
