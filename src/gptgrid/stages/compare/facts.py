"""What manifests say of the inputs of the tables."""

from __future__ import annotations

from typing import Any

from gptgrid.artifact.job import Job


def facts_of(job: Job, name: str) -> dict[str, Any] | None:
    """Return the facts of an input; None if it could not be made."""
    return job.manifest(name)["facts"] if name in job.inputs else None
