"""What evaluations say beyond the tables of `compare`: tasks, where the nats come from, other contexts.

Figures of a group are those of its cells together, or their mean. A group with a diverged cell has none, as
in the tables.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from statistics import fmean
from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.report.tables import Row

BEST = 3
"""Groups of each text of which the page has details."""
Evaluation = dict[str, Any]


def group_evaluations(job: Job, groups: list[Row], cells: list[Row], private: set[str]) -> list[Row]:
    """Return what the evaluations of each group say, in the order of the groups.

    Args:
        job: with the evaluations among its inputs.
        groups: the rows of all groups.
        cells: the rows of all cells, with the number of the group.
        private: names of cells of which nothing is shown that may be a piece of text.

    Returns:
        for each group: `evaluated` and `audited`, numbers of evaluations; `tasks` by name; `positions`, loss
        by position in the window, or None; `contexts`, figures by context length; `breakdowns` and
        `by_group`, of the best groups alone.
    """
    members: list[list[Row]] = [[] for _ in groups]
    for cell in cells:
        members[cell["group"]].append(cell)
    return [
        about_group(group, [(cell, read_evaluation(job, cell["cell"])) for cell in own], private)
        for group, own in zip(groups, members, strict=True)
    ]


def read_evaluation(job: Job, cell: str) -> Evaluation | None:
    """Return what the evaluation of a cell says; None without one."""
    folder = job.inputs.get(f"evaluate:{cell}")
    return None if folder is None else json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))


def about_group(group: Row, read: list[tuple[Row, Evaluation | None]], private: set[str]) -> Row:
    """Return what the page says of the evaluations of a group.

    Args:
        group: its row.
        read: its cells, each with its evaluation if there is one.
        private: names of cells of which nothing is shown that may be a piece of text.
    """
    found = [evaluation for _, evaluation in read if evaluation]
    usable = [each for cell, each in read if each and cell["status"] != "failed" and not group["diverged"]]
    # An older source broke nothing down.
    parted = [each for each in usable if "breakdowns" in each]
    best = group["rank"] <= BEST
    shown = best and not any(cell["cell"] in private for cell, _ in read)
    return {
        "evaluated": len(found),
        "audited": sum("in_train" in evaluation for evaluation in found),
        "tasks": tasks_of(usable),
        "positions": positions_of(parted),
        "contexts": contexts_of(usable),
        "breakdowns": breakdowns_of(parted) if best else {},
        "by_group": by_group(usable) if shown else {},
    }


def tasks_of(evaluations: list[Evaluation]) -> dict[str, Row]:
    """Return task → its figures; a choice has a second one, by the nats per byte of each answer.

    The accuracy is the mean over the cells. Its interval, for other items, reaches from the lowest to the
    highest end of theirs.
    """
    names = dict.fromkeys(name for evaluation in evaluations for name in evaluation.get("tasks", {}))
    found = {}
    for name in names:
        tasks = [each["tasks"][name] for each in evaluations if name in each.get("tasks", {})]
        shared = {key: tasks[0].get(key) for key in ("items", "chance")}
        shared["longer"] = tasks[0].get("longer_than_context", 0)
        found[name] = shared | accuracy(tasks)
        if all("per_byte" in task for task in tasks):
            found[f"{name}, per byte"] = shared | accuracy([task["per_byte"] for task in tasks])
    return {name: task for name, task in found.items() if task["accuracy"] is not None}


def accuracy(measured: list[Row]) -> Row:
    """Return mean accuracy and interval of some cells; None where one has none."""
    merge = {"accuracy": fmean, "low": min, "high": max}
    values = {key: [each.get(key) for each in measured] for key in merge}
    return {key: None if None in values[key] else merge[key](values[key]) for key in merge}


def by_group(evaluations: list[Evaluation]) -> dict[str, dict[str, Row]]:
    """Return task → group of its items → their number, accuracy and chance."""
    found: dict[str, dict[str, list[Row]]] = {}
    for evaluation in evaluations:
        for name, task in evaluation.get("tasks", {}).items():
            for part, figures in task.get("by_group", {}).items():
                found.setdefault(name, {}).setdefault(part, []).append(figures)
    return {
        name: {
            part: {key: cells[0][key] for key in ("items", "chance")} | accuracy(cells)
            for part, cells in parts.items()
        }
        for name, parts in found.items()
    }


def positions_of(evaluations: list[Evaluation]) -> Row | None:
    """Return the loss by position in windows side by side, in which each position is as frequent as any.

    It is in bits per byte, of tokens with as many bytes as those of the whole text have on average, so that
    tokenizers compare; in nats per token for bare ids.

    Returns:
        `from` and `to`, the tokens that were seen, and `loss`, a list each; None where it is not known.
    """
    parts = merged(evaluations, "position", headline=False)
    if not parts:
        return None
    first = evaluations[0]
    context = first[first["convention"]]["context"]
    scale = first["scored_tokens"] / (math.log(2) * first["bytes"]) if first["bytes"] else 1.0
    return {
        "from": [part["from"] for part in parts],
        "to": [min(part["to"], context) for part in parts],
        "loss": [float(f"{part['nats'] / part['tokens'] * scale:.5g}") for part in parts],
    }


def breakdowns_of(evaluations: list[Evaluation]) -> dict[str, Row]:
    """Return kind of breakdown → its definition and its `parts`.

    They are those of the convention of the figures; by position, of windows side by side. A part has its
    name, its place among the others (`order`), its share of the tokens, and its nats per token.
    """
    found = {}
    for kind, breakdown in (evaluations[0]["breakdowns"] if evaluations else {}).items():
        # Of windows that overlap nearly all tokens are scored from the same positions.
        parts = merged(evaluations, kind, headline=kind != "position")
        tokens = sum(part["tokens"] for part in parts)
        rows = [
            {
                "name": part_name(part),
                "order": part.get("from", place),
                "tokens": part["tokens"] / tokens,
                "loss": part["nats"] / part["tokens"],
            }
            for place, part in enumerate(parts)
        ]
        if rows:
            found[kind] = {"definition": breakdown["definition"], "parts": rows}
    return found


def part_name(part: Row) -> str:
    """Return what a part of a breakdown is called: a range, or a script."""
    if "script" in part:
        return part["script"]
    low, high = (f"{part[end]:,}" for end in ("from", "to"))
    return low if low == high else f"{low} to {high}"


def merged(evaluations: list[Evaluation], kind: str, headline: bool) -> list[Row]:
    """Return the parts of a breakdown with the tokens and nats of all cells, in their order.

    Args:
        evaluations: of cells of one group.
        kind: of the breakdown.
        headline: whether under the convention of the figures, or under that without overlap.
    """
    found: dict[tuple, Row] = {}
    for evaluation in evaluations:
        for name, parts in evaluation["breakdowns"].get(kind, {}).items():
            if name == "definition" or (name == evaluation["convention"]) != headline:
                continue
            for part in parts or ():
                place = {key: value for key, value in part.items() if key not in ("tokens", "nats")}
                sums = found.setdefault(tuple(place.values()), {**place, "tokens": 0, "nats": 0.0})
                sums["tokens"] += part["tokens"]
                sums["nats"] += part["nats"]
    return list(found.values())


def contexts_of(evaluations: list[Evaluation]) -> dict[int, Row]:
    """Return context length → mean of the test figures, or the reason why there is none.

    The context of the training is among them. Empty where no other was asked for.
    """
    found: dict[int, list[Row]] = {}
    for evaluation in evaluations:
        own = evaluation.get(evaluation["convention"], {})
        if others := evaluation.get("contexts"):
            for entry in (*others, {**own, "reason": None, "own": True}):
                found.setdefault(entry["context"], []).append(entry)
    return {context: context_row(entries) for context, entries in sorted(found.items())}


def context_row(entries: list[Row]) -> Row:
    """Return the mean figures of some cells at a context length."""
    return {
        "own": any(entry.get("own") for entry in entries),
        "reason": entries[0]["reason"],
        **{key: mean(entry[key] for entry in entries) for key in ("bpb", "test_loss")},
    }


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean; None where a value is missing, or there is none."""
    known = list(values)
    return fmean(known) if known and None not in known else None
