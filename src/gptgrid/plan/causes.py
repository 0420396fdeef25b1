"""Why something is to be made: the nearest cause, in a few words for a person. Decides nothing.

A cause is found by holding a request against what was made in the same place before: by the requests of
earlier runs of this checkout and experiment, or else by what people see there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gptgrid.artifact.identity import OVERVIEWS, digest, identity_of
from gptgrid.artifact.manifest import sound_manifest
from gptgrid.artifact.receipt import Receipt
from gptgrid.artifact.roots import roots
from gptgrid.plan.artifacts import TRAININGS, Artifact
from gptgrid.plan.plan import Plan
from gptgrid.plan.verify import differences
from gptgrid.words import counted

MOST = 3
"""Changed values that are named."""
SECTIONS = {"evaluate": "evaluation", "sample": "sampling"}
"""Stage whose slice is one section → that section, as a person writes it."""


@dataclass(frozen=True)
class Earlier:
    """What was made in an artifact's place before."""

    slice: dict[str, Any]
    source: str
    raw: dict[str, str]
    """A user's own file → sha256."""
    changed_inputs: list[str]
    """Names of inputs that are others now."""
    identity: str


class Causes:
    """The causes of everything that a plan would make."""

    def __init__(self, plan: Plan) -> None:
        """Prepare to look; nothing is read before a cause is asked for."""
        self.plan, self.store = plan, plan.store

    def why(self, artifact: Artifact) -> str:
        """Return why an artifact is not kept."""
        cause = self.last_attempt(artifact) or ", ".join(self.changes(artifact)) or "not there"
        return f"{cause} (goes on from its checkpoint)" if self.has_checkpoint(artifact) else cause

    def last_attempt(self, artifact: Artifact) -> str | None:
        """Return what came of the very same request before; None if nothing did."""
        receipt = self.store.receipt(artifact.stage, self.plan.keys[artifact])
        if receipt is None:
            return None
        if failure := receipt.failure:
            name = "" if failure.name == artifact.name else f"{failure.name} "
            return f"{name}failed last time: {failure.reason}"
        if receipt.incomplete:
            return "some of what it shows could not be made last time"
        absent = [name for name, made in artifact.inputs.items() if not self.plan.there[made]]
        if absent:
            return f"not there: {listed(artifact, absent)}"
        if receipt.made_from != digest(self.plan.digests_of_inputs(artifact)):
            return "what it is made from holds something else"
        return self.damage(receipt)

    def damage(self, receipt: Receipt) -> str:
        """Return what of an artifact is not as its receipt says."""
        folder = self.store.folder(receipt.stage, receipt.identity)
        if not folder.is_dir():
            return "gone from the store"
        return f"damaged: {self.store.damage(receipt) or 'other files than it had'}".replace(f"{folder}/", "")

    def has_checkpoint(self, artifact: Artifact) -> bool:
        """Say whether a training, or a fine-tuning, was interrupted."""
        digests = self.plan.digests_of_inputs(artifact)
        if artifact.stage not in TRAININGS or digests is None or self.plan.action(artifact) != "run":
            return False
        request = self.plan.requests[artifact]
        identity = identity_of(artifact.stage, request.slice, request.source, digests)
        return (self.store.partial(artifact.stage, identity) / "scratch" / "state.pt").is_file()

    # ----------------------------------------------------------------------------------- changes

    def changes(self, artifact: Artifact) -> list[str]:
        """Return how a request differs from the one before: itself, or else in what it is made from."""
        earlier = self.earlier(artifact)
        if earlier is None:
            return []
        changes = self.changed_values(artifact, earlier)
        found = changes[:MOST] + ["…"] * (len(changes) > MOST)
        if earlier.source != self.plan.requests[artifact].source:
            found.append(f"the source of {artifact.stage} changed")
        names = [*artifact.raw, *(name for name in earlier.raw if name not in artifact.raw)]
        files = [name for name in names if artifact.raw.get(name) != earlier.raw.get(name)]
        found += [f"{name} changed" for name in files[:MOST]] + ["…"] * (len(files) > MOST)
        names = earlier.changed_inputs
        return found or [f"{listed(artifact, names)} changed"] * bool(names)

    @staticmethod
    def changed_values(artifact: Artifact, earlier: Earlier) -> list[str]:
        """Return `key: old → new` for the values of the configuration that changed."""
        asked = artifact.config.get("kind") == "dialogues"
        section = "evaluation.answers" if asked else SECTIONS.get(artifact.stage, "")
        changes = differences(earlier.slice, artifact.slice, section)
        # Which weights are used stands with what made them.
        made = artifact.inputs.get("train")
        recipe = "finetuning" if made and made.stage == "finetune" else "training"
        use = f"{section}.use:".removeprefix(".")
        return [
            f"{recipe}.use:{change.removeprefix(use)}" if change.startswith(use) else change
            for change in changes
        ]

    def earlier(self, artifact: Artifact) -> Earlier | None:
        """Return what another request made in an artifact's place before; None if nothing is known."""
        if not artifact.shown:
            return None
        return next(self.asked_before(artifact), None) or self.seen(artifact)

    def asked_before(self, artifact: Artifact) -> Iterator[Earlier]:
        """Yield what earlier runs made in an artifact's place, the newest first."""
        stage, now = artifact.stage, {name: self.plan.keys[made] for name, made in artifact.inputs.items()}
        for keys in self.history:
            key = keys.get((stage, artifact.folder), self.plan.keys[artifact])
            if key == self.plan.keys[artifact]:
                continue
            receipt, request = self.store.receipt(stage, key), self.store.request(stage, key)
            if request and receipt and receipt.identity:
                before = {name: key for name, (_, key) in request.inputs.items()}
                yield Earlier(
                    request.slice, request.source, request.raw, changed(before, now), receipt.identity
                )

    @cached_property
    def history(self) -> list[dict[tuple[str, str], str]]:
        """(stage, folder) → key, of the runs of this checkout and experiment, the newest first."""
        own = self.plan.root().user
        return [
            {(stage, folder): key for stage, keys in root.keys.items() for key, folder in keys.items()}
            for _, root in roots(self.store)
            if root.user == own
        ]

    def seen(self, artifact: Artifact) -> Earlier | None:
        """Return what people see in an artifact's place."""
        manifest = sound_manifest(Path(artifact.folder))
        if manifest is None or manifest["stage"] != artifact.stage:
            return None
        receipts = {name: self.plan.receipts[made] for name, made in artifact.inputs.items()}
        overview = artifact.stage in OVERVIEWS
        now = {name: receipt and receipt.digest_for(overview) for name, receipt in receipts.items()}
        before = {name: digest for name, digest in manifest["inputs"].items() if name in now}
        raw = {name: digest for name, digest in manifest["inputs"].items() if name not in now}
        return Earlier(
            manifest["config"], manifest["source"], raw, changed(before, now), manifest["identity"]
        )


def listed(artifact: Artifact, names: list[str]) -> str:
    """Return inputs in words: `its shards and tokenizer`; of an overview's or a judge's many, how many."""
    if artifact.stage in OVERVIEWS or artifact.partial:
        return f"{len(names)} of its {counted(len(artifact.inputs), 'input')}"
    return f"its {' and '.join(names)}"


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the names whose values differ between two mappings."""
    names = [*now, *(name for name in before if name not in now)]
    return [name for name in names if before.get(name) != now.get(name)]
