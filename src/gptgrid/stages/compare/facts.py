"""What manifests and evaluations say of the inputs of the tables."""

from __future__ import annotations

import json
from typing import Any

from gptgrid.artifact.job import Job


class Inputs:
    """The inputs of `compare`. Each file is read once, however many tables ask for it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.manifests: dict[str, dict[str, Any]] = {}
        self.evaluations: dict[str, dict[str, Any]] = {}
        self.provenances: dict[str, dict[str, Any]] = {}

    def __contains__(self, name: str) -> bool:
        """Say whether an input could be made."""
        return name in self.job.inputs

    def manifest(self, name: str) -> dict[str, Any]:
        """Return the manifest of an input."""
        if name not in self.manifests:
            self.manifests[name] = self.job.manifest(name)
        return self.manifests[name]

    def provenance(self, name: str) -> dict[str, Any]:
        """Return the volatile facts of an input; empty if it could not be made, they were not kept, or were
        changed since."""
        if name not in self.provenances:
            self.provenances[name] = self.job.provenance_of(name) if name in self else {}
        return self.provenances[name]

    def facts(self, name: str) -> dict[str, Any] | None:
        """Return the facts of an input; None if it could not be made."""
        return self.manifest(name)["facts"] if name in self else None

    def evaluation(self, cell: str) -> dict[str, Any]:
        """Return what the evaluation of a cell says; empty without one."""
        return self.read_evaluation(f"evaluate:{cell}")

    def answers(self, cell: str, dialogues: str) -> dict[str, Any]:
        """Return what is known of a cell's answers in some dialogues; empty if nothing is."""
        return self.read_evaluation(f"dialogues:{cell}:{dialogues}")

    def read_evaluation(self, name: str) -> dict[str, Any]:
        """Return evaluation.json of an input; empty if it could not be made."""
        if name not in self.evaluations:
            folder = self.job.inputs.get(name)
            text = "{}" if folder is None else (folder / "evaluation.json").read_text(encoding="utf-8")
            self.evaluations[name] = json.loads(text)
        return self.evaluations[name]
