"""How a cell was evaluated and sampled: the sections of a configuration that give the same figures again."""

from __future__ import annotations

from typing import Any

from gptgrid.config.experiment import Answers, Evaluation, Sampling
from gptgrid.config.tasks import Task
from gptgrid.inference.export.loaded import Loaded
from gptgrid.inference.export.origins import Origins, base_of, known, made_from

TASK = "task:"
"""What stands before the name of a task among the inputs of an evaluation."""


def asked(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """Return the sections `evaluation` and `sampling`, as far as what they made lies beside the cell."""
    found = {"evaluation": evaluation(loaded), "sampling": sampling(loaded)}
    return {name: section for name, section in found.items() if section}


def evaluation(loaded: Loaded) -> dict[str, Any]:
    """Return how its text was scored, which tasks it was given and how it was asked in dialogues."""
    cell, found = loaded.folder.parent, {}
    if text := made_from(loaded.folder, cell / "evaluate"):
        found = known(Evaluation, text["config"])
        if named := [name.removeprefix(TASK) for name in text["inputs"] if name.startswith(TASK)]:
            origins = Origins(cell / "evaluate")
            found["tasks"] = {name: task(origins.manifest(f"{TASK}{name}")) for name in named}
    if loaded.fine_tuned:  # a base cell alone is not asked
        for folder in (cell / "dialogues").glob("*"):  # the one that it learned from
            if answers := made_from(loaded.folder, folder):
                found["answers"] = known(Answers, answers["config"])
    return found


def task(manifest: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the entry of a task; None if its items were not found."""
    if manifest is None:
        return None
    config = manifest["config"]
    first, *_ = files = config["files"]
    source = {"source": "url", **first} if isinstance(first, dict) else {"source": "files", "paths": files}
    return known(Task, {**config, **source, "format": config["task"]})


def sampling(loaded: Loaded) -> dict[str, Any]:
    """Return what the cell, or the one that it was fine-tuned from, was asked to continue; nothing of a
    private text, of which the prompts may be part."""
    train = Origins(loaded.folder).path(*base_of(loaded))
    found = train and made_from(train, train.parent / "sample")
    return known(Sampling, found["config"]) if found and not found["config"].get("private") else {}
