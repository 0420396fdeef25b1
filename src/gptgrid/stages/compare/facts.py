"""What manifests and evaluations say of the inputs of the tables."""

from __future__ import annotations

import json
from typing import Any

from gptgrid.artifact.job import Job


def facts_of(job: Job, name: str) -> dict[str, Any] | None:
    """Return the facts of an input; None if it could not be made."""
    return job.manifest(name)["facts"] if name in job.inputs else None


def evaluation_of(job: Job, cell: str) -> dict[str, Any]:
    """Return what the evaluation of a cell says; empty without one."""
    folder = job.inputs.get(f"evaluate:{cell}")
    return {} if folder is None else json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
