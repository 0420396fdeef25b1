"""A cell without what only its training needs: what `generate` and gptgrid.api.load read."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from gptgrid.artifact.errors import UserError
from gptgrid.inference.export.loaded import Loaded
from gptgrid.tokens.huggingface import to_tokenizer_json

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
METADATA = {"format": "pt"}
"""What transformers wants to read in a file of weights."""


def export_safetensors(loaded: Loaded, folder: Path, dtype: str) -> None:
    """Write the weights under their names here, config.json, codec.json and tokenizer.json into a folder."""
    save(loaded.weights, folder / WEIGHTS, dtype)
    for name in ("config.json", "codec.json"):
        shutil.copyfile(loaded.folder / name, folder / name)
    if tokenizer := to_tokenizer_json(loaded.codec):  # bare ids have none
        (folder / TOKENIZER).write_text(tokenizer, encoding="utf-8")


def save(weights: dict[str, Tensor], path: Path, dtype: str) -> None:
    """Write weights as safetensors.

    Raises:
        UserError: a weight is too large for the type.
    """
    converted = {name: as_type(tensor, name, dtype) for name, tensor in weights.items()}
    save_file(converted, path, METADATA)
    path.chmod(0o644)  # the library leaves it to its owner alone


def as_type(tensor: Tensor, name: str, dtype: str) -> Tensor:
    """Return a tensor in a type of numbers, contiguous.

    Raises:
        UserError: a number is too large for it.
    """
    found = tensor.to(getattr(torch, dtype)).contiguous()
    if dtype == "float16" and found.isinf().any():
        raise UserError(
            f"{name} holds numbers that are too large for {dtype} (up to {tensor.abs().max():.3g}); take "
            "bfloat16 or float32"
        )
    return found
