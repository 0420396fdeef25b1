"""What a cell was made from, as far as it can be found: its data in the store, or in the views beside it.

A manifest names its inputs by the digest of what they hold, so what is found is what was read, wherever it
lies and whatever it is called.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gptgrid.artifact.identity import content_digest
from gptgrid.artifact.manifest import MANIFEST, sound_manifest
from gptgrid.config.checkpoints import INDEX
from gptgrid.config.values import Section
from gptgrid.inference.export.loaded import Loaded

STAGES = {
    "corpus": ("corpus", ("data/corpora/*", "data/dialogues/*")),
    "dialogues": ("corpus", ("data/dialogues/*",)),
    "tokenizer": ("tokenizer", ("data/tokenizers/*",)),
    "shards": ("encode", ("data/shards/*",)),
    "train": ("train", ("results/*/cells/*/train",)),
    "parent": ("train", ("results/*/cells/*/train",)),
    "task": ("corpus", ("data/tasks/*",)),
}
"""Name of an input, up to a colon → the stage that makes it, and where views of it lie."""


class Origins:
    """The artifacts that a cell was made from."""

    def __init__(self, folder: Path) -> None:
        """Read nothing yet.

        Args:
            folder: the `train` or `finetune` folder of the cell.
        """
        self.folder = folder

    def path(self, *inputs: str) -> Path | None:
        """Return the folder of an input, of an input of that, and so on; None if it cannot be found."""
        found = self.folder
        for name in inputs:
            manifest = sound_manifest(found)
            digest = manifest["inputs"].get(name) if manifest else None
            found = None if digest is None else self.find(name, digest)
            if found is None:
                return None
        return found

    def manifest(self, *inputs: str) -> dict[str, Any] | None:
        """Return the manifest of an input, of an input of that, and so on; None if it cannot be found."""
        found = self.path(*inputs)
        return found and sound_manifest(found)

    def find(self, name: str, digest: str) -> Path | None:
        """Return the folder of an input that holds what a digest says."""
        return next((path for path in self.candidates(name) if holds(path, digest)), None)

    def candidates(self, name: str) -> Iterator[Path]:
        """Yield the folders that an input may be, nearer ones first."""
        stage, views = STAGES[name.partition(":")[0]]
        for root in self.roots():
            for view in views:
                yield from sorted(root.glob(view))
            yield from sorted((root / "results" / ".store" / stage).glob("*"))
        if store := os.environ.get("GPTGRID_STORE"):
            yield from sorted((Path(store) / stage).glob("*"))

    def roots(self) -> list[Path]:
        """Return the checkouts in which to look: that in which the cell lies, and this one."""
        above = list(self.folder.absolute().parents)
        own = [parent.parent for parent in above if parent.name == "results"][:1]
        return list(dict.fromkeys([*own, Path.cwd()]))


def made_from(cell: Path, folder: Path) -> dict[str, Any] | None:
    """Return the manifest of what was made from the weights of a cell; None if a folder holds nothing such.

    Args:
        cell: its `train` or `finetune` folder.
        folder: of an evaluation or of samples.
    """
    weights, manifest = sound_manifest(cell), sound_manifest(folder)
    if weights is None or manifest is None or manifest["inputs"].get("train") != content_digest(weights):
        return None
    return manifest


def holds(folder: Path, digest: str) -> bool:
    """Say whether a folder is an artifact that holds what a digest says."""
    manifest = sound_manifest(folder) if (folder / MANIFEST).is_file() else None
    return manifest is not None and content_digest(manifest) == digest


def base_of(loaded: Loaded) -> tuple[str, ...]:
    """Return the way from a cell to the one that it was fine-tuned from; none for a base cell."""
    return ("train",) if loaded.fine_tuned else ()


def data_of(loaded: Loaded) -> dict[str, dict[str, Any] | None]:
    """Return the manifests of what it learned from here, `corpus` and `dialogues`; None for lost ones."""
    origins, found = Origins(loaded.folder), {}
    if not loaded.imported:
        found["corpus"] = origins.manifest(*base_of(loaded), "shards", "corpus")
    if loaded.fine_tuned:
        found["dialogues"] = origins.manifest("dialogues")
    return found


def text_of(loaded: Loaded) -> dict[str, Any] | None:
    """Return the manifest of the text that a cell is on: what it learned from, or was only measured on where
    others trained it. None if it cannot be found."""
    if loaded.imported:
        return Origins(loaded.folder.parent / "evaluate").manifest("corpus")
    return data_of(loaded)["corpus"]


def files_of_others(loaded: Loaded) -> dict[str, str] | None:
    """Return the files of the model of others that a cell began with: name → sha256.

    None if the manifest that has them cannot be found.
    """
    manifest = Origins(loaded.folder).manifest(*base_of(loaded))
    if manifest is None:
        return None
    return {Path(name).name: digest for name, digest in manifest["inputs"].items() if is_weights(name)}


def has_lost_template(loaded: Loaded) -> bool:
    """Say whether a cell began with a model of others that has a chat template, and has none itself."""
    if loaded.recipe.get("chat") or not loaded.of_others:
        return False
    manifest = Origins(loaded.folder).manifest() or {"config": {}}
    return "chat_template" in manifest["config"].get("start", manifest["config"])


def is_weights(name: str) -> bool:
    """Say whether an input is a file of weights, or the index of several."""
    return name.endswith(".safetensors") or Path(name).name == INDEX


def known(section: type[Section], config: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a section in a slice of the configuration; what is not set is left out."""
    return {key: config[key] for key in section.model_fields if config.get(key) is not None}
