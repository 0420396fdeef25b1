"""The plan of an experiment: its artifacts, the requests for them, and what of them is there.

Snakemake decides by existence alone. The output of a job is the receipt of a request, which has the
request's key in its name: whatever changes asks for another file. What is there but not whole, or could not
be made last time, is asked for under the name of a further attempt.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import Remembered, file_digest
from gptgrid.artifact.fingerprint import fingerprint, sources, variant_names
from gptgrid.artifact.identity import OVERVIEWS, STAGES, digest, identity_of
from gptgrid.artifact.manifest import MANIFEST, VOLATILE, sound_manifest
from gptgrid.artifact.program import digests_of
from gptgrid.artifact.receipt import Receipt
from gptgrid.artifact.request import Request
from gptgrid.artifact.roots import Root, placed, register, root_of
from gptgrid.artifact.store import Store, has_outputs
from gptgrid.artifact.view import claim_views, link_view, owners, remove_view, shows, view_lock
from gptgrid.config.read import Configuration, load
from gptgrid.net.address import note_address
from gptgrid.plan.artifacts import Artifact, Artifacts
from gptgrid.plan.items import check_items
from gptgrid.plan.privacy import withdraw

SCRIPTS = Path(__file__).resolve().parents[3] / "workflow" / "scripts"
DEFAULT_CONFIG = Path("config") / "config.yaml"
COMPUTING = ("train", "finetune", "evaluate", "sample")
"""Stages whose programs compute with torch."""
WITHOUT_MODEL = ("ngram", "xz")
"""Kinds of evaluations that need no device."""


class Plan:
    """All artifacts of an experiment with their requests; `look` says what of them is there."""

    def __init__(self, configuration: Configuration) -> None:
        """Work out what an experiment needs.

        Raises:
            UserError: the configuration, or a file that it names, cannot be used.
        """
        self.configuration = configuration
        experiment = configuration.experiment
        self.run = experiment.run.model_dump(mode="json")
        self.store = Store(store_folder(configuration))
        self.digests = Remembered("digests.json", file_digest)
        self.needed = needed = Artifacts(configuration, self.digests)
        self.artifacts, self.cells, self.results = needed.by_folder, needed.cells, needed.results
        self.requests: dict[Artifact, Request] = {}
        self.keys: dict[Artifact, str] = {}
        self.names: dict[Artifact, frozenset[str]] = {}
        """Artifact → the variants that its configuration, and that of what it is made from, name."""
        self.fingerprints: dict[tuple[str, frozenset[str]], str] = {}
        self.known_texts: dict[int, set[str]] = {}
        known = variant_names()
        for artifact in self.artifacts.values():
            self.add_request(artifact, known)
        self.by_key = {(artifact.stage, key): artifact for artifact, key in self.keys.items()}
        sources().save()
        # What look() finds:
        self.there: dict[Artifact, bool] = {}
        self.receipts: dict[Artifact, Receipt | None] = {}
        """Of what is there, and of what the store has under another key."""

    def add_request(self, artifact: Artifact, known: frozenset[str]) -> None:
        """Work out the request for an artifact, after those for its inputs."""
        # The overviews' own configuration is names of cells; what these are made from counts.
        own = {} if artifact.stage in OVERVIEWS else artifact.config
        names = frozenset(chain.from_iterable(map(self.texts, own.values()))) & known
        names = names.union(*(self.names[made] for made in artifact.inputs.values()))
        self.names[artifact] = names
        request = self.requests[artifact] = Request(
            stage=artifact.stage,
            config=artifact.config,
            slice=artifact.slice,
            source=self.source(artifact.stage, names),
            variants=sorted(names),
            inputs={name: (made.stage, self.keys[made]) for name, made in artifact.inputs.items()},
            raw=artifact.raw,
            run=self.run,
            threads=artifact.threads,
            partial=artifact.partial,
        )
        self.keys[artifact] = request.key

    def texts(self, value: Any) -> set[str]:
        """Return all strings in a value of a configuration; cells share most of theirs."""
        if not isinstance(value, dict):
            return texts_in(value)
        if id(value) not in self.known_texts:
            self.known_texts[id(value)] = texts_in(value)
        return self.known_texts[id(value)]

    def source(self, stage: str, names: frozenset[str]) -> str:
        """Return the fingerprint of a stage's program for some variants."""
        if (stage, names) not in self.fingerprints:
            self.fingerprints[stage, names] = fingerprint(SCRIPTS / f"{stage}.py", names)
        return self.fingerprints[stage, names]

    # -------------------------------------------------------------------------------- what is there

    def look(self) -> None:
        """Find out what is there, and what of the rest the store has under another key.

        Raises:
            UserError: a task that is still to be made has a line that is no item.
        """
        for artifact in self.artifacts.values():
            receipt = self.sound_receipt(artifact)
            self.there[artifact] = receipt is not None
            self.receipts[artifact] = receipt or self.receipt_of_stored(artifact)
        self.digests.save()
        for artifact in self.of_stage("corpus"):
            if "task" in artifact.config and artifact.raw and self.action(artifact) == "run":
                name = Path(artifact.folder).name
                check_items(artifact, f"{self.configuration.origin}: evaluation.tasks.{name}")

    def sound_receipt(self, artifact: Artifact) -> Receipt | None:
        """Return the receipt of an artifact that need not be made; else None.

        Its inputs are there, too, and hold what it was made from.
        """
        receipt = self.store.receipt(artifact.stage, self.keys[artifact])
        if receipt is None or receipt.identity is None or receipt.incomplete:
            return None
        inputs_there = all(self.there[made] for made in artifact.inputs.values())
        if not inputs_there or receipt.made_from != digest(self.digests_of_inputs(artifact)):
            return None
        return receipt if self.store.is_whole(receipt, self.digests) else None

    def receipt_of_stored(self, artifact: Artifact) -> Receipt | None:
        """Return the receipt that an artifact without one would get, if the store has it; else None."""
        stage, digests = artifact.stage, self.digests_of_inputs(artifact)
        if digests is None:
            return None
        request = self.requests[artifact]
        identity = identity_of(stage, request.slice, request.source, digests)
        folder = self.store.folder(stage, identity)
        manifest = sound_manifest(folder)
        if manifest is None or manifest["identity"] != identity:
            return None
        if not has_outputs(folder, manifest, manifest["outputs"], self.digests):
            return None
        return self.store.make_receipt(stage, self.keys[artifact], identity, digest(digests))

    def digests_of_inputs(self, artifact: Artifact) -> dict[str, str] | None:
        """Return what the identity of an artifact takes from its inputs; None where one is not known yet."""
        inputs = {name: self.receipts[made] for name, made in artifact.inputs.items()}
        return None if None in inputs.values() else digests_of(inputs, self.requests[artifact])

    def action(self, artifact: Artifact) -> str:
        """Return `keep`, `restore` (the store has it) or `run`."""
        if self.there[artifact]:
            return "keep"
        return "restore" if self.receipts[artifact] else "run"

    def manifest(self, artifact: Artifact) -> dict[str, Any] | None:
        """Return the manifest of an artifact that the store has; else None."""
        receipt = self.receipts[artifact]
        return sound_manifest(self.store.folder(artifact.stage, receipt.identity)) if receipt else None

    def artifact_of_view(self, path: str) -> Artifact:
        """Return the artifact that a file which people see belongs to.

        Raises:
            UserError: the experiment has none there, or the path is a folder: Snakemake takes no folder that
                a rule does not declare as one.
        """
        path = path.rstrip("/")
        if path in self.artifacts:
            raise UserError(
                f"{path} is a folder, and only files can be named; name one in it, such as "
                f"{path}/{MANIFEST}, which makes all of it"
            )
        for folder in map(str, Path(path).parents):
            if folder in self.artifacts:
                return self.artifacts[folder]
        if inside := [folder for folder in self.artifacts if folder.startswith(f"{path}/")]:
            raise UserError(f"{path} is no result of its own; name a file in one of {', '.join(inside)}")
        raise UserError(f"{self.configuration.origin}: nothing in its grid makes {path}")

    def check_file_of_view(self, artifact: Artifact, path: str) -> None:
        """Refuse a file that an artifact which is there does not have.

        Raises:
            UserError: it has others.
        """
        if self.there[artifact]:
            names = [*self.receipts[artifact].files, *VOLATILE]
            if (name := str(Path(path).relative_to(artifact.folder))) not in names:
                raise UserError(f"{artifact.folder} has no file {name}; it has {', '.join(names)}")

    def computations(self) -> int:
        """Return how many programs will need torch."""
        return sum(a.stage in COMPUTING and self.action(a) == "run" for a in self.artifacts.values())

    def needs_device(self) -> bool:
        """Say whether a program that will run computes on the device of the section `run`."""
        return any(on_device(a.stage, a.config) and self.action(a) == "run" for a in self.artifacts.values())

    def check_device(self) -> None:
        """Look for the device of the section `run` on this machine.

        Raises:
            UserError: it is not here.
        """
        if (device := self.run["device"]) in ("auto", "cpu"):
            return
        from gptgrid.model.device import find_device  # imports torch

        try:
            find_device(device)
        except UserError as error:
            raise self.configuration.error(["run", "device"], str(error)) from None

    def of_stage(self, stage: str) -> list[Artifact]:
        """Return the artifacts of one stage."""
        return [artifact for artifact in self.artifacts.values() if artifact.stage == stage]

    # ----------------------------------------------------------------------------- a run that begins

    def root(self) -> Root:
        """Return what the experiment uses of the store."""
        keys: dict[str, dict[str, str]] = {stage: {} for stage in STAGES}
        for artifact in self.artifacts.values():
            keys[artifact.stage][self.keys[artifact]] = artifact.folder if artifact.shown else ""
        return placed(root_of(self.configuration.experiment.experiment, keys), self.store)

    def claim_views(self, logs: list[str]) -> None:
        """Say that what people see is from now on what this plan says; nothing shows what is private now.

        Args:
            logs: of this run of Snakemake.
        """
        with view_lock():
            withdraw(self.needed, self.keys, self.store, logs)
            claim_views({a.folder: self.keys[a] for a in self.artifacts.values() if a.shown})

    def register(self) -> Any:
        """Tell the store what this experiment uses; return the lock that is held while a run goes on."""
        return register(self.store, self.root())

    def write_requests(self) -> None:
        """Write the requests: those for what is to be made, and those that are missing."""
        for artifact, request in self.requests.items():
            if self.action(artifact) == "run":
                for sha256, url in artifact.addresses.items():
                    note_address(url, sha256)
            path = self.store.request_path(artifact.stage, self.keys[artifact])
            if not self.there[artifact] or not path.exists():
                with self.store.writing() if not self.there[artifact] else suppress(OSError):
                    self.store.write_request(request)

    def show(self) -> None:
        """Let people see what is there, and no longer what is not what the configuration says.

        Views that a newer run has claimed stay as they are.
        """
        with view_lock():
            owner = owners()
            for artifact in self.artifacts.values():
                key = self.keys[artifact]
                if not artifact.shown or owner.get(artifact.folder, key) != key:
                    continue
                receipt, view = self.receipt_to_show(artifact), Path(artifact.folder)
                if receipt is None:
                    if view.is_dir():
                        remove_view(self.store, view)
                elif not shows(self.store, receipt, view, self.digests):
                    link_view(self.store, artifact.stage, receipt.identity, view)
        self.digests.save()

    def receipt_to_show(self, artifact: Artifact) -> Receipt | None:
        """Return the receipt of what people are to see: what is there, or tables that lack what failed."""
        if self.there[artifact]:
            return self.receipts[artifact]
        receipt = self.store.receipt(artifact.stage, self.keys[artifact])
        lacking = receipt is not None and receipt.identity is not None and receipt.incomplete
        return receipt if lacking and self.store.is_whole(receipt, self.digests) else None

    def failures(self) -> dict[str, list[str]]:
        """Return what could not be made, with its reason → the artifacts that lack it.

        Of several that failed for one reason the first is named, with the number of the others.
        """
        failed: dict[str, dict[str, list[str]]] = {}
        missing = (artifact for artifact, there in self.there.items() if not there)
        for artifact in missing:
            receipt = self.store.receipt(artifact.stage, self.keys[artifact])
            if receipt and (failure := receipt.failure):
                failed.setdefault(failure.reason, {}).setdefault(failure.name, []).append(artifact.name)
        found = {}
        for reason, lacking in failed.items():
            first, *others = lacking
            more = f" and {len(others)} more" if others else ""
            found[f"{first}{more}: {reason}"] = [name for names in lacking.values() for name in names]
        return found


def store_folder(configuration: Configuration) -> Path:
    """Return where the store of an experiment lies.

    Raises:
        UserError: no store can lie there.
    """
    given = os.environ.get("GPTGRID_STORE") or configuration.experiment.run.store
    folder = Path(given).expanduser()
    remedy = f"set GPTGRID_STORE, or run.store in {configuration.origin}, to a folder of its own"
    if found := next((letter for letter in "{}\0" if letter in given), None):
        raise UserError(
            f"the store {given!r} has a {found!r} in its name, which Snakemake cannot have; {remedy}"
        )
    if folder.exists() and not folder.is_dir():
        raise UserError(f"the store {folder} is no folder; {remedy}")
    if folder.resolve() == Path.cwd():
        raise UserError(f"the store {folder} is the folder in which Snakemake runs; {remedy}")
    return folder


def texts_in(value: Any) -> set[str]:
    """Return all strings among the values of nested mappings and lists."""
    if isinstance(value, dict):
        return set().union(*map(texts_in, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(texts_in, value))
    return {value} if isinstance(value, str) else set()


def on_device(stage: str, config: dict[str, Any]) -> bool:
    """Say whether the program of a stage computes on the device of the section `run`."""
    return stage in COMPUTING and config.get("kind") not in WITHOUT_MODEL


def count_gpus() -> int:
    """Return how many NVIDIA GPUs this machine has, without the second that asking torch takes."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def read_configuration(paths: list[Path], settings: dict[str, Any]) -> Configuration:
    """Return the configuration in files and settings of the command line.

    Args:
        paths: as given by `--configfile`; none means config/config.yaml.
        settings: as given by `--config`.
    """
    return load([Path(os.path.relpath(path)) for path in paths] or [DEFAULT_CONFIG], settings)


def read_plan(paths: list[Path], settings: dict[str, Any]) -> Plan:
    """Return the plan for configuration files and settings of the command line, and look at what is there."""
    plan = Plan(read_configuration(paths, settings))
    plan.look()
    return plan
