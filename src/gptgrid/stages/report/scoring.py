"""What figures are of, and how they were measured: parts of splits, and conventions."""

from __future__ import annotations

from typing import Any

from gptgrid.stages.report.tables import Row

SPLITS = {"valid": "validation", "test": "test"}
LEFT_OUT = {
    "documents": "There is one seed a group: intervals and verdicts are for other documents alone, and leave "
    "out what another seed would change",
    "seeds": "The test split is one document: intervals and verdicts are for other seeds alone, and leave "
    "out what other documents would change",
    "nothing": "There is one seed a group, and one test document: no interval can be given, and nothing can "
    "be told apart",
}
"""What intervals cover, where that is not both seeds and documents → what is to be said."""


def scored_parts(groups: list[Row]) -> dict[str, list[dict[str, Any]]]:
    """Return text → split, documents that were scored, and documents that there are, where not all were.

    All groups of a text that have figures have them of the same documents.
    """
    found = {}
    for group in groups:
        counts = [
            (name, group[f"{split}_documents"], group[f"{split}_documents_of_split"])
            for split, name in SPLITS.items()
        ]
        parts = [
            {"split": name, "documents": documents, "there": there}
            for name, documents, there in counts
            if documents is not None and documents < there
        ]
        if parts:
            found[group["text"]] = parts
    return found


def conventions(groups: list[Row]) -> list[dict[str, Any]]:
    """Return each convention by which groups were scored: name, definition, and the number of groups."""
    found: dict[tuple[str, str], int] = {}
    for group in groups:
        if group["definition"] is not None:
            key = (group["convention"], group["definition"])
            found[key] = found.get(key, 0) + 1
    return [
        {"name": name, "definition": definition, "groups": number}
        for (name, definition), number in sorted(found.items())
    ]


def left_out(rows: list[Row]) -> dict[str, list[str]]:
    """Return what intervals leave out → the texts on which they do.

    Args:
        rows: of comparison.csv and effects.csv.
    """
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        if row["covers"] in LEFT_OUT:
            found.setdefault(LEFT_OUT[row["covers"]], {})[row["text"]] = None
    return {sentence: list(texts) for sentence, texts in found.items()}
