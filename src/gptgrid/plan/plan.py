"""What an experiment needs, what of it is there, and why the rest must run.

The plan lists every artifact with its configuration slice, the fingerprint of its program and its inputs,
compares that with the manifests on the disk and in the store, and tells Snakemake by one means only: the
modification time of a small request file per artifact, its rule's only input that is not `ancient`.
Snakemake itself could not know: it sees neither imported modules nor results that were copied here.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import STATE, Remembered, write_text
from gptgrid.artifact.fingerprint import fingerprint, sources
from gptgrid.artifact.identity import canonical, file_digest, identity_of, input_digest
from gptgrid.artifact.manifest import MANIFEST, VOLATILE, read_manifest
from gptgrid.artifact.store import Store
from gptgrid.config.corpora import BuiltinCorpus, FilesCorpus, ShardsCorpus, UrlCorpus
from gptgrid.config.grid import Cell, Part, cells_of, parent_of
from gptgrid.config.read import ConfigError, Configuration, load

SCRIPTS = Path(__file__).resolve().parents[3] / "workflow" / "scripts"
OUTPUTS = {
    "corpus": ("train-00000.parquet", "valid-00000.parquet", "test-00000.parquet"),
    "tokenizer": ("codec.json",),
    "encode": ("train-00000.bin", "valid-00000.bin", "test-00000.bin"),
    "encode_shard": ("train-00000.bin",),
    "train": (
        "model.safetensors",
        "config.json",
        "codec.json",
        "metrics.csv",
        "samples.jsonl",
        "state.pt",
    ),
    "evaluate": ("evaluation.json",),
    "sample": ("samples.jsonl",),
    "compare": ("summary.csv", "comparison.csv"),
    "report": ("report.html",),
}
"""Rule → the files that every artifact of it has, beside the manifest."""
FOLDERS = {
    "corpus": "data/corpora/{corpus}",
    "tokenizer": "data/tokenizers/{tokenizer}",
    "encode": "data/shards/{shards}",
    "encode_shard": "data/shards/{shards}/shard-{number}",
    "train": "results/{experiment}/cells/{cell}/train",
    "evaluate": "results/{experiment}/cells/{cell}/evaluate",
    "sample": "results/{experiment}/cells/{cell}/sample",
    "compare": "results/{experiment}/compare",
    "report": "results/{experiment}/report",
}
"""Rule → where its artifacts lie, in the order of the stages."""
DEFAULT_CONFIG = Path("config") / "config.yaml"


@dataclass
class Artifact:
    """A folder that one stage makes."""

    stage: str
    folder: str
    config: dict[str, Any]
    inputs: dict[str, str] = field(default_factory=dict)
    """Name → folder of another artifact."""
    raw: dict[str, str] = field(default_factory=dict)
    """A user's own file → sha256."""
    threads: int = 1
    """Cores that its program uses."""
    shard: int | None = None
    """The number of a part of an encoded corpus that has a job of its own."""

    # What resolve() finds:
    identity: str | None = None
    """None while the content of an input is not known."""
    manifest: dict[str, Any] | None = None
    """None if it has to be made first."""
    action: str = "run"
    """`keep`, `restore` (from the store) or `run`."""
    reason: str = ""

    @property
    def deliverables(self) -> list[str]:
        """Return the files that a person expects in the folder."""
        rule = self.stage if self.shard is None else "encode_shard"
        return [f"{self.folder}/{name}" for name in (*OUTPUTS[rule], MANIFEST)]

    @property
    def request(self) -> Path:
        """Return the file that asks for this artifact."""
        return STATE / "requests" / f"{self.folder}.json"


class Plan:
    """All artifacts of an experiment, inputs before what needs them."""

    def __init__(self, configuration: Configuration) -> None:
        """Work out the artifacts of an experiment.

        Raises:
            UserError: the configuration, or a file that it names, cannot be used.
        """
        self.configuration = configuration
        experiment = configuration.experiment
        self.run = experiment.run.slice()
        self.store = Store(Path(os.environ.get("GPTGRID_STORE") or experiment.run.store))
        self.results = f"results/{experiment.experiment}"
        self.artifacts: dict[str, Artifact] = {}
        self.cells = cells_of(configuration)
        self.digests = Remembered("digests.json", file_digest)
        for cell in self.cells:
            self.add_cell(cell)
        self.add_overview()
        self.resolve()
        self.digests.save()
        sources().save()

    # --------------------------------------------------------------------------- what is needed

    def add(self, artifact: Artifact) -> str:
        """Add an artifact unless it is there; return its folder."""
        self.artifacts.setdefault(artifact.folder, artifact)
        return artifact.folder

    def add_corpus(self, corpus: Part) -> str:
        folder = f"data/corpora/{corpus.label}"
        if folder in self.artifacts:
            return folder
        entry, config, raw = corpus.value, corpus.value.slice(), {}
        if isinstance(entry, FilesCorpus | ShardsCorpus):
            where = f"{self.configuration.origin}: corpora.{corpus.name}"
            config["files"] = {split: expand_globs(globs, where) for split, globs in entry.files().items()}
            raw = {path: self.digests.of(Path(path)) for paths in config["files"].values() for path in paths}
        elif isinstance(entry, UrlCorpus):
            config["files"] = {
                split: [file.slice() for file in files] for split, files in entry.files().items()
            }
        elif isinstance(entry, BuiltinCorpus) and entry.documents is None:
            config["documents"] = {"tales": 2000, "toy": None}[entry.name]
        return self.add(Artifact("corpus", folder, config, raw=raw))

    def add_tokenizer(self, cell: Cell) -> str:
        config = cell.tokenizer.value.slice()
        config.pop("train_on", None)
        if cell.tokenizer_corpus is None:
            raw = {}
            if own := config.get("file"):
                where = f"{self.configuration.origin}: tokenizers.{cell.tokenizer.name}.file"
                raw = {path: self.digests.of(Path(path)) for path in expand_globs([own], where)}
            return self.add(Artifact("tokenizer", f"data/tokenizers/{cell.tokenizer.label}", config, raw=raw))
        corpus = self.add_corpus(cell.tokenizer_corpus)
        folder = f"data/tokenizers/{cell.tokenizer.label}@{cell.tokenizer_corpus.label}"
        return self.add(Artifact("tokenizer", folder, config, {"corpus": corpus}))

    def add_shards(self, cell: Cell) -> str:
        inputs = {"corpus": self.add_corpus(cell.corpus), "tokenizer": self.add_tokenizer(cell)}
        folder = f"data/shards/{cell.tokenizer.label}@{cell.corpus.label}"
        shards = cell.corpus.value.shards
        parts = {}
        if shards > 1:
            for number in range(shards):
                name = f"shard-{number:05d}"
                part = Artifact("encode", f"{folder}/{name}", {"shard": number}, inputs, shard=number)
                parts[name] = self.add(part)
        return self.add(Artifact("encode", folder, {"shard": None}, {**inputs, **parts}))

    def add_train(self, cell: Cell) -> str:
        training = cell.training.value
        inputs = {"shards": self.add_shards(cell), "tokenizer": self.add_tokenizer(cell)}
        parent = parent_of(self.configuration, cell)
        if parent is not None:
            inputs["parent"] = self.add_train(parent)
        config = {
            "model": cell.model.value.slice(),
            # The recipe's name for its parent is not what it depends on; the parent's content is.
            "training": {key: value for key, value in training.slice().items() if key != "continues"},
            "seed": cell.seed,
            "sample_prompt": self.configuration.experiment.sampling.prompts[0]
            if training.sample_every
            else None,
        }
        folder = f"{self.results}/cells/{cell.name}/train"
        threads = training.threads * self.run["processes"]
        return self.add(Artifact("train", folder, config, inputs, threads=threads))

    def add_cell(self, cell: Cell) -> None:
        experiment = self.configuration.experiment
        train = self.add_train(cell)
        folder = train.removesuffix("/train")
        inputs = {"train": train, "shards": self.add_shards(cell)}
        if asks_questions(cell.corpus.value):
            inputs["corpus"] = self.add_corpus(cell.corpus)
        self.add(Artifact("evaluate", f"{folder}/evaluate", experiment.evaluation.slice(), inputs))
        self.add(Artifact("sample", f"{folder}/sample", experiment.sampling.slice(), {"train": train}))

    def add_overview(self) -> None:
        cells = [
            {
                "cell": cell.name,
                "corpus": cell.corpus.name,
                "tokenizer": cell.tokenizer.name,
                "model": cell.model.name,
                "training": cell.training.name,
                "seed": cell.seed,
                "overrides": cell.overrides,
                "path": f"{self.results}/cells/{cell.name}",
            }
            for cell in self.cells
        ]
        config = {"experiment": self.configuration.experiment.experiment, "cells": cells}

        def inputs(*stages: str) -> dict[str, str]:
            return {f"{stage}:{c['cell']}": f"{c['path']}/{stage}" for c in cells for stage in stages}

        data = {
            f"{kind}:{folder.split('/')[-1]}": folder
            for folder, artifact in self.artifacts.items()
            if (
                kind := {"corpus": "corpus", "tokenizer": "tokenizer", "encode": "shards"}.get(artifact.stage)
            )
            and artifact.shard is None
        }
        compare = self.add(
            Artifact("compare", f"{self.results}/compare", config, inputs("train", "evaluate"))
        )
        report_inputs = {"compare": compare, **inputs("train", "sample"), **data}
        self.add(Artifact("report", f"{self.results}/report", config, report_inputs))

    # ------------------------------------------------------------------ what is there, and why not

    def resolve(self) -> None:
        """Find out for each artifact whether it is kept, restored or made, and the reason."""
        for artifact in self.artifacts.values():
            inputs = {name: self.artifacts[folder] for name, folder in artifact.inputs.items()}
            source = stage_source(artifact.stage)
            contents = {
                name: upstream.manifest and input_digest(artifact.stage, upstream.manifest)
                for name, upstream in inputs.items()
            }
            if None not in contents.values():
                artifact.identity = identity_of(
                    artifact.stage, artifact.config, source, {**contents, **artifact.raw}
                )
            found = manifest_or_none(Path(artifact.folder))
            missing = first_missing(Path(artifact.folder), found)
            if found and not missing and found["identity"] == artifact.identity:
                artifact.action, artifact.manifest = "keep", found
                continue
            artifact.reason = self.explain(artifact, found, missing, source, contents)
            if artifact.identity and self.store.has(artifact.stage, artifact.identity):
                stored = self.store.folder(artifact.stage, artifact.identity)
                artifact.action, artifact.manifest = "restore", read_manifest(stored)

    def explain(
        self,
        artifact: Artifact,
        found: dict[str, Any] | None,
        missing: str | None,
        source: str,
        contents: dict[str, str | None],
    ) -> str:
        """Say what is not as it should be, the nearest cause first."""
        if found is None:
            return "not there"
        changes = list(differences(found["config"], artifact.config))
        if changes:
            return ", ".join(changes[:3]) + (", …" if len(changes) > 3 else "")
        if found["source"] != source:
            return f"the source of {artifact.stage} changed"
        for name in artifact.inputs:
            if contents[name] is None or contents[name] != found["inputs"].get(name):
                return f"its {name} {'is to be made first' if contents[name] is None else 'changed'}"
        for path, sha256 in artifact.raw.items():
            if found["inputs"].get(path) != sha256:
                return f"{path} changed"
        if set(found["inputs"]) != {*contents, *artifact.raw}:
            return "it was made from other inputs"
        return missing or "it is not what its manifest says"

    def artifact(self, folder: str) -> Artifact:
        """Return the artifact that belongs in a folder.

        Raises:
            UserError: the experiment has none there.
        """
        if folder not in self.artifacts:
            raise UserError(f"{self.configuration.origin}: nothing in its grid makes {folder}")
        return self.artifacts[folder]

    def ancestors(self, artifact: Artifact) -> list[str]:
        """Return the folders of everything that an artifact is made from, directly or not."""
        found: dict[str, None] = {}
        pending = [*artifact.inputs.values()]
        while pending:
            folder = pending.pop()
            if folder not in found:
                found[folder] = None
                pending.extend(self.artifacts[folder].inputs.values())
        return list(found)

    @staticmethod
    def manifests(folders: Iterable[str]) -> list[str]:
        """Return the paths of the manifests in folders."""
        return [f"{folder}/{MANIFEST}" for folder in folders]

    def deliverables(self) -> list[str]:
        """Return every file that the experiment promises."""
        return [file for artifact in self.artifacts.values() for file in artifact.deliverables]

    def computations(self) -> int:
        """Return how many programs will need torch."""
        stages = ("train", "evaluate", "sample")
        return sum(a.stage in stages and a.action == "run" for a in self.artifacts.values())

    def of_stage(self, stage: str) -> list[Artifact]:
        """Return the artifacts of one stage."""
        return [artifact for artifact in self.artifacts.values() if artifact.stage == stage]

    # --------------------------------------------------------------------------------- requests

    def write_requests(self) -> None:
        """Write the request files, so that exactly those of stale artifacts are newer than the artifact."""
        for artifact in self.artifacts.values():
            asked = self.request_of(artifact)
            if artifact.action == "keep":
                keep_request(artifact, canonical(asked))
            else:
                self.save_from_deletion(Path(artifact.folder))
                renew_request(artifact, asked)

    def request_of(self, artifact: Artifact) -> dict[str, Any]:
        """Return what the stage program is handed."""
        return {
            "stage": artifact.stage,
            "artifact": artifact.folder,
            "config": artifact.config,
            "source": stage_source(artifact.stage),
            "inputs": artifact.inputs,
            "raw": artifact.raw,
            "run": self.run,
            "store": str(self.store.root),
        }

    def save_from_deletion(self, folder: Path) -> None:
        """Put what lies outside the store into it: Snakemake deletes outputs before it makes them again."""
        found = manifest_or_none(folder)
        if found and not self.store.has(found["stage"], found["identity"]):
            self.store.adopt(folder)


def asks_questions(corpus: Any) -> bool:
    """Say whether a corpus brings questions that an evaluation can ask."""
    return isinstance(corpus, BuiltinCorpus) and corpus.name == "tales"


def keep_request(artifact: Artifact, text: str) -> None:
    """Make the request older than the artifact, which is as asked."""
    folder = Path(artifact.folder)
    oldest = min((folder / name).stat().st_mtime_ns for name in files_of(read_manifest(folder)))
    before = oldest - 1_000_000_000
    request = artifact.request
    try:
        if request.stat().st_mtime_ns < oldest and request.read_text(encoding="utf-8") == text:
            return
    except FileNotFoundError:
        pass
    write_text(request, text)
    os.utime(request, ns=(before, before))


def renew_request(artifact: Artifact, asked: dict[str, Any]) -> None:
    """Make the request newer than the artifact, and unlike any earlier one.

    Snakemake does not rerun for a newer input whose content it has seen, hence the time inside.
    """
    request = artifact.request
    try:
        pending = json.loads(request.read_text(encoding="utf-8"))
        newest = newest_file(Path(artifact.folder))
        pending.pop("since", None)
        if pending == asked and request.stat().st_mtime_ns > newest:
            return  # an earlier plan asked the same, and no program has answered
    except (FileNotFoundError, ValueError):
        pass
    write_text(request, canonical({**asked, "since": time.time_ns()}))


def newest_file(folder: Path) -> int:
    """Return the latest modification time in a folder, in nanoseconds; 0 if there is none."""
    return max((path.stat().st_mtime_ns for path in folder.glob("*")), default=0)


def manifest_or_none(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of an artifact; None if there is no readable one."""
    try:
        return read_manifest(folder)
    except UserError:
        return None


def files_of(manifest: dict[str, Any]) -> list[str]:
    """Return the names of all files of an artifact."""
    return [*manifest["outputs"], *VOLATILE, MANIFEST]


def first_missing(folder: Path, manifest: dict[str, Any] | None) -> str | None:
    """Return which file of an artifact is missing or has another size; None if none. It reads no file."""
    if manifest is None:
        return None
    for name in files_of(manifest):
        try:
            size = (folder / name).stat().st_size
        except OSError:
            return f"{name} is missing"
        if size != manifest["outputs"].get(name, {"bytes": size})["bytes"]:
            return f"{name} was changed"
    return None


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yield `key: old → new` for every value that differs between two configuration slices."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        if isinstance(old, list) and isinstance(new, list):
            yield f"{path} changed"
        else:
            yield f"{path}: {old} → {new}"


@cache
def stage_source(stage: str) -> str:
    """Return the fingerprint of a stage's program."""
    return fingerprint(SCRIPTS / f"{stage}.py")


def expand_globs(globs: list[str], where: str) -> list[str]:
    """Return the files that the patterns name, sorted within each pattern, each once; of a folder all in it.

    Raises:
        ConfigError: a pattern matches no file.
    """
    files: dict[str, None] = {}
    for pattern in globs:
        absolute = Path(pattern).is_absolute()
        root = Path(Path(pattern).anchor) if absolute else Path()
        found = sorted(root.glob(str(Path(pattern).relative_to(root)) if absolute else pattern))
        found = [file for path in found for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
        found = [path for path in found if path.is_file()]
        if not found:
            raise ConfigError(
                f"{where}: no file matches {pattern!r} (looked in {Path.cwd()}); check the path"
            )
        files.update(dict.fromkeys(map(str, found)))
    return list(files)


def count_gpus() -> int:
    """Return how many NVIDIA GPUs this machine has, without the second that asking torch takes."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def read_plan(paths: list[Path], settings: dict[str, Any]) -> Plan:
    """Return the plan for configuration files and settings of the command line.

    Args:
        paths: as given by `--configfile`; none means config/config.yaml.
        settings: as given by `--config`.
    """
    return Plan(load([Path(os.path.relpath(path)) for path in paths] or [DEFAULT_CONFIG], settings))
