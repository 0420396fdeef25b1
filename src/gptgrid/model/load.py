"""Reading a trained cell's folder back into a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.model.build import build

WEIGHTS = {"best": "model.safetensors", "last": "last.safetensors"}
"""Which weights of a training → their file: those of the lowest validation loss, or the last ones."""
STEP = "step-"
"""Begin of the name of weights that a training kept on its way."""
EMBEDDING = "embedding.tokens.weight"
KEYS = {"model", "vocab_size", "eot", "training", "seed"}
"""What config.json of a trained cell has."""


def read_recipe(folder: Path) -> dict[str, Any]:
    """Return config.json of a trained cell: model, vocab_size, eot, training, seed, and perhaps marks (what
    names of special tokens in its text were: text or special).

    Raises:
        UserError: it is missing or damaged.
    """
    path = folder / "config.json"
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; a trained cell has one in its `train` folder") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run snakemake again") from None
    if not isinstance(recipe, dict) or KEYS - recipe.keys():
        raise UserError(f"{path} is no recipe of a trained cell, which has {', '.join(sorted(KEYS))}")
    return recipe


def step_file(step: int) -> str:
    """Return the name of the weights that a training kept after a step."""
    return f"{STEP}{step:08d}.safetensors"


def kept_steps(folder: Path) -> dict[int, Path]:
    """Return step → file of the weights that a training kept on its way, in order."""
    files = {int(path.stem.removeprefix(STEP)): path for path in folder.glob(f"{STEP}*.safetensors")}
    return dict(sorted(files.items()))


def load_model(folder: Path, device: torch.device | str = "cpu", use: str = "best") -> nn.Module:
    """Return the trained model of a cell, ready to predict (no dropout, no gradients).

    Args:
        folder: the `train` folder of the cell.
        device: where the model shall compute.
        use: which weights, a key of `WEIGHTS` or the name of a file in the folder.

    Raises:
        UserError: config.json or the weights are missing, damaged, or they do not fit together.
    """
    recipe = read_recipe(folder)
    module = build(namespace(recipe["model"]), recipe["vocab_size"], recipe["eot"])
    module.load_state_dict(load_weights(folder / WEIGHTS.get(use, use), module))
    return module.to(device).eval().requires_grad_(False)


def load_weights(path: Path, module: nn.Module) -> dict[str, Tensor]:
    """Return the weights in a file by their names; an output matrix that is the embedding has both names.

    Args:
        path: of the file.
        module: of which they are; it may be without values.

    Raises:
        UserError: the file is missing or damaged, or of another model.
    """
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as weights: {error}") from None
    if getattr(module.config, "tie_embeddings", False) and EMBEDDING in weights:
        weights.setdefault("head.weight", weights[EMBEDDING])
    if said := difference(module.state_dict(), weights):
        raise UserError(f"{path} is of another model than config.json: {said}")
    return weights


def difference(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str | None:
    """Return in what name or shape weights first differ from those of a model; None if in none."""
    for name, tensor in own.items():
        if name not in weights:
            return f"it has no {name}"
        if weights[name].shape != tensor.shape:
            return f"its {name} is {shape(weights[name])}, that of the model {shape(tensor)}"
    spare = [name for name in weights if name not in own]
    return f"the model has no {spare[0]}, which it has" if spare else None


def shape(tensor: Tensor) -> str:
    """Return the sizes of a tensor as people write them."""
    return " × ".join(map(str, tensor.shape)) or "a single number"


def with_context(module: nn.Module, context: int, eot: int | None) -> nn.Module:
    """Return a loaded model with another context, beyond the one that it was trained with, too.

    It shares the weights. Learned positions are weights, as many as the context had: such a model has no
    other context.

    Args:
        module: from `load_model`.
        context: tokens that it shall see at once.
        eot: id of the end-of-text token, as for `build`.
    """
    config = SimpleNamespace(**{**vars(module.config), "context": context})
    other = build(config, module.vocab_size, eot)
    other.load_state_dict(module.state_dict(), assign=True)
    return other.to(next(module.parameters()).device).eval().requires_grad_(False)
