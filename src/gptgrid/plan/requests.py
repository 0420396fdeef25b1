"""What the rules of the workflow ask: inputs, options and names of jobs, by the key in the name of a receipt.

A job knows nothing but the key, and what belongs to the key never changes: whoever plans, edits or dry-runs
beside a run changes nothing for it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.request import Request
from gptgrid.artifact.store import Store
from gptgrid.plan.artifacts import Artifact
from gptgrid.plan.plan import Plan

KEY_LENGTH = 64


@dataclass(frozen=True)
class Job:
    """What the program that makes an artifact is told."""

    name: str
    """What the artifact is called in messages."""
    options: str
    """Quoted for a shell."""


class Requests:
    """The jobs of one run of Snakemake."""

    def __init__(self, plan: Plan | None, store: Store, again: Iterable[str] = ()) -> None:
        """Prepare to ask.

        Args:
            plan: of the experiment; None on a node of a cluster that cannot read the configuration any more.
            store: where requests and receipts lie.
            again: stages, or files and folders that people see, to make again although they are there.
        """
        self.plan, self.store = plan, store
        self.run = json.dumps(plan.run) if plan else "{}"
        again = {name.rstrip("/") for name in again}
        self.stages_again = {name for name in again if "/" not in name}
        self.paths_again = again - self.stages_again
        self.chosen: dict[Artifact, str] = {}
        """Artifact → the receipt that Snakemake is to see; the same for the whole run."""

    # ------------------------------------------------------------------------------------ receipts

    def receipt_path(self, artifact: Artifact) -> str:
        """Return the receipt that Snakemake is to see: the one that is there, or one that is to be made."""
        if artifact not in self.chosen:
            stage, key, attempt = artifact.stage, self.plan.keys[artifact], 0
            if not self.plan.there[artifact] or self.is_named(artifact):
                attempt = self.store.next_attempt(stage, key)
            self.chosen[artifact] = self.store.receipt_name(stage, key, attempt)
        return self.chosen[artifact]

    def all_receipts(self) -> list[str]:
        """Return the receipts of everything that the experiment promises."""
        return [self.receipt_path(artifact) for artifact in self.plan.artifacts.values()]

    def inputs(self, stage: str, receipt: str) -> list[str]:
        """Return the receipts of what an artifact is made from."""
        artifact = self.artifact(stage, receipt)
        if artifact is not None and self.plan.there:
            return [self.receipt_path(made) for made in artifact.inputs.values()]
        made = self.request(stage, receipt).inputs.values()
        return [self.store.receipt_name(*stage_and_key) for stage_and_key in made]

    # ---------------------------------------------------------------------------------------- jobs

    def artifact(self, stage: str, receipt: str) -> Artifact | None:
        """Return the artifact of a receipt; None if the configuration has no such artifact any more."""
        return self.plan.by_key.get((stage, receipt[:KEY_LENGTH])) if self.plan else None

    def request(self, stage: str, receipt: str) -> Request:
        """Return the request that a receipt answers.

        Raises:
            UserError: there is none.
        """
        artifact = self.artifact(stage, receipt)
        if artifact is not None:
            return self.plan.requests[artifact]
        request = self.store.request(stage, receipt[:KEY_LENGTH])
        if request is None:
            raise UserError(
                f"no request of {stage} has the key {receipt[:KEY_LENGTH]} (looked in {self.store.root}); "
                "run snakemake without naming receipts"
            )
        return request

    def job(self, stage: str, receipt: str) -> Job:
        """Return what the program that makes an artifact is told."""
        artifact = self.artifact(stage, receipt)
        name = artifact.name if artifact else f"{stage} {receipt[:12]}"
        # With `=`, and the rest behind `--`: names and folders may begin with a dash.
        options = [
            f"--receipt={self.store.root}/keys/{stage}/{receipt}.json",
            f"--name={name}",
            "--record-failure",
        ]
        if artifact is not None:
            options += [f"--run={self.run}", f"--log={artifact.log}"]
            options += [f"--view={artifact.folder}"] if artifact.shown else []
        if stage in self.stages_again or (artifact is not None and self.is_named(artifact)):
            options.append("--again")
        options += ["--", str(self.store.request_path(stage, receipt[:KEY_LENGTH]))]
        return Job(name, shlex.join(options))

    def options_to_verify(self) -> str:
        """Return the options of the program that makes again the data, and the first cell of each model."""
        plan = self.plan
        first = {cell.model.label: f"{plan.results}/cells/{cell.name}/" for cell in reversed(plan.cells)}
        chosen = [
            artifact
            for folder, artifact in plan.artifacts.items()
            if folder.startswith(("data/", *first.values()))
        ]
        pairs = ((a.name, str(self.store.request_path(a.stage, plan.keys[a]))) for a in chosen)
        return shlex.join([f"--run={self.run}", "--", *(text for pair in pairs for text in pair)])

    def is_named(self, artifact: Artifact) -> bool:
        """Say whether a person asked, by the name of a file or folder, to make an artifact again."""
        return any(f"{path}/".startswith(f"{artifact.folder}/") for path in self.paths_again)
