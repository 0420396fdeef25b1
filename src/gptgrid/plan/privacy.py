"""What may show a text, as it was made or logged before that was private: it goes from where people look.

The store keeps what was made then, under what the configuration said then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gptgrid.artifact.files import STATE
from gptgrid.artifact.manifest import MANIFEST, sound_manifest
from gptgrid.artifact.store import Store
from gptgrid.artifact.view import owners, remove_view
from gptgrid.config.read import Configuration
from gptgrid.plan.artifacts import LOGS, Artifact, Artifacts, log_of

OF_JOBS, OF_SNAKEMAKE = STATE / "logs", STATE.parent / "log"
"""Logs of jobs by their keys, which Snakemake shows of what fails, and its own, in which it shows them."""
OF_VERIFY = LOGS / "verify.log"
IN_NAMES = re.compile("[/@.+]")
"""What stands between the names of entries in the name of a folder."""


def withdraw(needed: Artifacts, keys: dict[Artifact, str], store: Store, current: list[str]) -> None:
    """Take away what may show text that is private, where an experiment has any. Hold `view_lock`.

    These are logs of what had another key when it was last asked for, and views and logs of what the
    experiment no longer has.

    Args:
        needed: the artifacts of the experiment.
        keys: artifact → its key.
        store: gets what views alone have.
        current: logs of this run of Snakemake.
    """
    owner, private = owners(), [artifact for artifact in needed.by_folder.values() if artifact.private]
    shown = [each for each in private if each.shown and (each.folder in owner or each.log.exists())]
    changed = [each for each in shown if owner.get(each.folder) != keys[each]]
    left = left_over(needed, owner) if private else []
    if not changed and not left:
        return
    for folder in left:
        remove_view(store, Path(folder))
    logs = [each.log for each in (*changed, *(each for each in private if not each.shown))]
    logs += [*map(log_of, left), OF_VERIFY, *OF_JOBS.rglob("*.log"), *OF_SNAKEMAKE.glob("*.log")]
    for log in logs:
        if str(log.resolve()) not in current:
            log.unlink(missing_ok=True)


def left_over(needed: Artifacts, owner: dict[str, str]) -> list[str]:
    """Return the folders that show what was made from private text, and what an experiment no longer has.

    Args:
        needed: the artifacts of the experiment.
        owner: folder → key, of all folders that people see.
    """
    names = private_names(needed.configuration)
    places = ("data/", f"{needed.results}/")
    return [
        folder
        for folder in owner
        if folder.startswith(places)
        and folder not in needed.by_folder
        and not names.isdisjoint(IN_NAMES.split(label_of(folder)))
        and ((Path(folder) / MANIFEST).exists() or log_of(folder).exists())
        and not (folder.startswith("data/") and shows_nothing(Path(folder)))
    ]


def label_of(folder: str) -> str:
    """Return what the name of a folder has of an experiment's own: `results/e/cells/CELL/dialogues/DATA` has
    CELL/DATA."""
    place, *parts = folder.split("/")
    return "/".join(parts[1::2] if place == "data" else parts[2::2])


def shows_nothing(folder: Path) -> bool:
    """Say whether a folder of `data/` has nothing to hide, so that another experiment keeps it.

    What experiments share was made while the text was private already, or is a tokenizer, which is the same
    whether a text is private or not.
    """
    manifest = sound_manifest(folder)
    return manifest is not None and (
        manifest["stage"] == "tokenizer" or manifest["config"].get("private") is True
    )


def private_names(configuration: Configuration) -> set[str]:
    """Return the names of private texts, and of what learns from them."""

    def entries(section: str) -> Iterator[tuple[str, Any]]:
        for name in getattr(configuration.experiment, section):
            yield name, configuration.entry(section, name)

    texts = {name for section in ("corpora", "dialogues") for name, text in entries(section) if text.private}
    tokenizers = {name for name, entry in entries("tokenizers") if getattr(entry, "train_on", None) in texts}
    return texts | tokenizers | {name for name, entry in entries("finetuning") if entry.data in texts}
