"""Tables of what evaluations say of groups: tasks, parts of the text, contexts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gptgrid.stages.report.experiment import ReportContent
from gptgrid.stages.report.tables import Row


def ranked(experiment: ReportContent) -> list[tuple[Row, Row]]:
    """Return each group with what its evaluations say, text by text, the best first."""
    names = [text["name"] for text in experiment.texts]
    pairs = zip(experiment.groups, experiment.evaluations, strict=True)
    return sorted(pairs, key=lambda pair: (names.index(pair[0]["text"]), pair[0]["rank"]))


def task_table(experiment: ReportContent) -> dict[str, Any]:
    """Return the table of tasks.

    Returns:
        `names` of tasks, a column each; `rows`, groups that were asked, each with its `tasks`; `longer`,
        whether any item is longer than a context; and `guessing`, text → task → items and chance.
    """
    rows = [(group, about["tasks"]) for group, about in ranked(experiment) if about["tasks"]]
    guessing: dict[str, dict[str, Row]] = {}
    for group, tasks in rows:
        for name, task in tasks.items():
            guessing.setdefault(group["text"], {}).setdefault(name, task)
    names = dict.fromkeys(name for _, tasks in rows for name in tasks)
    return {
        "names": list(names),
        "rows": [{"group": group, "tasks": tasks} for group, tasks in rows],
        "longer": any(task["longer"] for _, tasks in rows for task in tasks.values()),
        "guessing": guessing,
    }


def context_table(experiment: ReportContent) -> dict[str, Any]:
    """Return the table of context lengths: `contexts`, a column each, `rows`, and `reasons` for gaps."""
    rows = [(group, about["contexts"]) for group, about in ranked(experiment) if about["contexts"]]
    figure = {text["name"]: text["test"] for text in experiment.texts}
    gaps = [(group, entry["reason"]) for group, found in rows for entry in found.values() if entry["reason"]]
    return {
        "contexts": sorted({context for _, found in rows for context in found}),
        "rows": [
            {
                "group": group,
                "figures": {
                    context: {"own": entry["own"], "value": entry[figure[group["text"]]]}
                    for context, entry in found.items()
                },
            }
            for group, found in rows
        ],
        "reasons": dict.fromkeys(f"{group['label']}: {reason}" for group, reason in gaps),
    }


def cross_table(experiment: ReportContent) -> dict[str, Any]:
    """Return the table of groups on the texts of others.

    Returns:
        `texts`, a column each; and `rows`, groups with their `figures`, text → row of cross.csv.
    """
    found: dict[str, dict[str, Row]] = {}
    for row in experiment.cross:
        found.setdefault(row["group"], {})[row["text"]] = row
    return {
        "texts": list(dict.fromkeys(row["text"] for row in experiment.cross)),
        "rows": [
            {"group": group, "figures": found[group["group"]]}
            for group, _ in ranked(experiment)
            if group["group"] in found
        ],
    }


def breakdown_tables(experiment: ReportContent) -> Iterator[dict[str, Any]]:
    """Yield for each text and kind of breakdown a table with a column for each of the best groups."""
    for text, kind, columns in columns_of(experiment, "breakdowns"):
        order = {part["name"]: part["order"] for _, found in columns for part in found["parts"]}
        by_name = [{part["name"]: part for part in found["parts"]} for _, found in columns]
        yield {
            "text": text,
            "kind": kind,
            "definitions": dict.fromkeys(found["definition"] for _, found in columns),
            "groups": [group for group, _ in columns],
            "rows": [(name, [parts.get(name) for parts in by_name]) for name in sorted(order, key=order.get)],
        }


def item_tables(experiment: ReportContent) -> Iterator[dict[str, Any]]:
    """Yield for each text and task with groups of items a table with a column for each of the best groups."""
    for text, task, columns in columns_of(experiment, "by_group"):
        yield {
            "text": text,
            "task": task,
            "groups": [group for group, _ in columns],
            "rows": [(name, [found.get(name) for _, found in columns]) for name in columns[0][1]],
        }


def columns_of(experiment: ReportContent, key: str) -> Iterator[tuple[str, str, list[tuple[Row, Row]]]]:
    """Yield for each text what its groups have in common under a key of their evaluations.

    Returns:
        the text, a name under the key, and each group that has it with what stands there, the best first.
    """
    for text in experiment.texts:
        groups = [(group, about[key]) for group, about in ranked(experiment) if group["text"] == text["name"]]
        for name in dict.fromkeys(name for _, found in groups for name in found):
            yield text["name"], name, [(group, found[name]) for group, found in groups if name in found]
