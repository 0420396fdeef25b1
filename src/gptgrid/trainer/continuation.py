"""Where a training starts from: its own checkpoint, or the finished state of a shorter one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.trainer import checkpoint

SHARED = ("batch_tokens", "windows", "stride", "optimizer")
"""Keys that a continuation has in common with its parent: they decide the data order and the moments."""


def read_own(path: Path, recipe: str) -> dict[str, Any] | None:
    """Return the checkpoint of an interrupted run of the same training.

    Returns:
        None if there is none, or it is damaged: a checkpoint only saves time.

    Raises:
        UserError: it is of another training, or cannot be read.
    """
    if not path.is_file():
        return None
    try:
        state = checkpoint.read(path)
    except checkpoint.DamagedStateError as damage:
        print(f"{damage.what}, so the training begins again", flush=True)
        return None
    if state["recipe"] != recipe:
        raise UserError(
            f"{path} is the checkpoint of another training ({first_difference(state['recipe'], recipe)}); "
            f"{checkpoint.advice(path)}"
        )
    return state


def read_parent(folder: Path, recipe: str, steps: int) -> dict[str, Any]:
    """Return the finished state that a longer training goes on from.

    Args:
        folder: the parent's `train` folder.
        recipe: canonical JSON of this training.
        steps: this training's budget.

    Raises:
        UserError: the parent cannot be continued so.
    """
    state = checkpoint.read(folder / "state.pt")
    difference = first_difference(shared(state["recipe"]), shared(recipe))
    if difference:
        raise UserError(
            f"this training cannot continue {folder}: {difference}; a continuation has the parent's model, "
            f"vocabulary, seed, {', '.join(SHARED)}"
        )
    if state["diverged"]:
        raise UserError(f"this training cannot continue {folder}, which diverged: {state['diverged']}")
    if steps <= state["step"]:
        raise UserError(
            f"this training has a budget of {steps} steps, but {folder} already made {state['step']}; "
            "a continuation needs a larger budget"
        )
    return state


def shared(recipe: str) -> str:
    """Return the part of a recipe that a continuation may not change."""
    values = json.loads(recipe)
    return json.dumps({**values, "training": {key: values["training"][key] for key in SHARED}})


def first_difference(old: str, new: str) -> str | None:
    """Return `key: old → new` for the first value that differs between two JSON mappings of mappings."""
    before, after = flat(json.loads(old)), flat(json.loads(new))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return f"{keys[0]}: {before.get(keys[0])} → {after.get(keys[0])}" if keys else None


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one with dotted keys."""
    flattened: dict[str, Any] = {}
    for key, value in values.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        flattened.update(inner)
    return flattened
