"""Cells by parts of their names, as a person types them."""

import re

SEED = re.compile(r"[.]s[0-9]+$")
"""The end of a cell's name; what goes before is its group."""


def match(names: str, labels: list[str]) -> list[str]:
    """Return the labels that have every part, whole if any label has it whole; none for no part."""
    parts = names.split()
    if not parts:
        return []
    for part in parts:
        whole = re.compile(rf"(?<![\w-]){re.escape(part)}(?![\w+-])")
        labels = list(filter(whole.search, labels)) or [label for label in labels if part in label]
    return labels


def listed(labels: list[str], most: int = 20) -> str:
    """Return labels as indented lines, the first of them if they are many."""
    more = [f"… and {len(labels) - most} more"] if len(labels) > most else []
    return "\n".join(f"  {line}" for line in labels[:most] + more)
