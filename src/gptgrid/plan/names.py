"""Cells by parts of their names, as a person types them."""

import os.path
import re

from gptgrid.artifact.errors import UserError

NAME = re.compile(r"(?P<group>.+)[.]s[0-9]+(?P<finetuning>[.][\w-]+([+].+)?)?")
"""Of a cell, or of what is fine-tuned from it."""

STEP = re.compile(r"(?P<cell>.+)@(?P<weights>best|last|[0-9]+)", re.DOTALL)
"""Of a cell with weights that it kept."""


def group_of(name: str) -> str:
    """Return what cells have in common that differ in their seeds alone: the name without the seed."""
    parts = NAME.fullmatch(name)
    return parts["group"] + (parts["finetuning"] or "") if parts else name


def match(names: str, labels: list[str]) -> list[str]:
    """Return the labels of cells that have every part, whole if any label has it whole; none for no part.

    What is fine-tuned must be named: where a cell and what is fine-tuned from it match, the cell is meant.
    """
    parts = names.split()
    if not parts:
        return []
    for part in parts:
        whole = re.compile(rf"(?<![\w-]){re.escape(part)}(?![\w+-])")
        labels = list(filter(whole.search, labels)) or [label for label in labels if part in label]
    names = {label: NAME.fullmatch(label) for label in labels}
    trained = {parts["group"] for parts in names.values() if parts and not parts["finetuning"]}
    return [
        label
        for label, parts in names.items()
        if not (parts and parts["finetuning"] and parts["group"] in trained)
    ]


def step_of(name: str) -> str | None:
    """Return what a name says behind its last @, `best`, `last` or a step; None if it says nothing there."""
    found = STEP.fullmatch(name)
    exists = os.path.exists(name)  # noqa: PTH110 -- a Path fails on a name that no file can have
    return found["weights"] if found and not exists else None


def refuse_step(name: str, why: str) -> None:
    """Refuse a name with `@STEP` behind it where a cell is meant as a whole.

    Raises:
        UserError: it is such a name.
    """
    if step := step_of(name):
        raise UserError(f"{name} means the weights of a step, but {why}; leave out @{step}")


def listed(labels: list[str], most: int = 20) -> str:
    """Return labels as indented lines, the first of them if they are many."""
    more = [f"… and {len(labels) - most} more"] if len(labels) > most else []
    return "\n".join(f"  {line}" for line in labels[:most] + more)
