"""Under which conditions cells were trained and scored, and whether their figures were counted twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.report.tables import VERSIONS, Row

TRAINING = ("device", "precision", *VERSIONS)
SCORING = ("device", "precision", "torch")
LABELS = {"python": "Python version", "torch": "torch version"}
IMPORTED = "imported"
"""The status of a checkpoint of others, which was not trained here."""


def conditions(job: Job, cells: list[Row]) -> list[dict[str, Any]]:
    """Return under which conditions cells were trained and scored, which may change their figures.

    Returns:
        one row per condition: `of` (trained or scored), its name (`label`), value → number of cells
        (`counts`) in the order of the grid, and whether it is the same for all (`alike`). None of a precision
        that varies only where the grid varies it.
    """
    trained = [cell for cell in cells if cell["identity"] and cell["status"] != IMPORTED]
    names = [f"evaluate:{cell['cell']}" for cell in cells]
    scored = [scoring_of(job, name) for name in names if name in job.inputs]
    rows = []
    for of, keys, found in (("trained", TRAINING, trained), ("scored", SCORING, scored)):
        for key in keys:
            counts = Counter(values[key] or "unknown" for values in found)
            alike = len(counts) == 1
            asked_for = (of, key) == ("trained", "precision") and follows_request(job, trained)
            if alike or (counts and not asked_for):
                label = LABELS.get(key, key)
                rows.append({"of": of, "label": label, "counts": dict(counts), "alike": alike})
    return rows


def follows_request(job: Job, trained: list[Row]) -> bool:
    """Say whether all trainings that ask for one precision were computed in one."""
    found: dict[str | None, set[str | None]] = {}
    for cell in trained:
        asked = job.manifest(f"train:{cell['cell']}")["config"]["training"].get("precision")
        found.setdefault(asked, set()).add(cell["precision"])
    return all(len(precisions) == 1 for precisions in found.values())


def scoring_of(job: Job, name: str) -> Row:
    """Return the conditions of an evaluation."""
    provenance = job.provenance_of(name)
    torch = provenance.get("libraries", {}).get("torch")
    return {"device": provenance.get("device"), "precision": provenance.get("precision"), "torch": torch}
