"""More tokens for a trained model: rows of its embedding and of its output matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from gptgrid.seeds import derive

BY_TOKEN = ("embedding.tokens.weight", "head.weight", "head.bias")
"""Weights that have a row for each token."""
NOISE = 0.01
"""Deviation of a new row, in units of that of the old ones: new tokens are not quite alike."""


def widened(weights: dict[str, Tensor], new: range, seed: int) -> dict[str, Tensor]:
    """Return weights with rows for new tokens; the logits of the old ones stay as they are.

    A new row is the mean of the old ones and a little noise: so a new token takes about its share of the
    probability, and the distribution over the old ones changes as little as it can (Hewitt 2021,
    "Initializing New Word Embeddings for Pretrained Language Models"). That holds for rows that no token had
    (padding of the vocabulary), too: training only ever made those unlikely.

    Args:
        weights: of a model, by name.
        new: ids of the new tokens, behind all old ones; rows behind them stay.
        seed: of the noise.
    """
    if not new:
        return weights
    return {
        name: with_rows(tensor, new, derive(seed, f"new tokens/{name}")) if name in BY_TOKEN else tensor
        for name, tensor in weights.items()
    }


def with_rows(tensor: Tensor, new: range, key: int) -> Tensor:
    """Return a tensor (rows, …) with new rows at some places, at least as long as these need."""
    generator = torch.Generator().manual_seed(key)
    noise = torch.randn((len(new), *tensor.shape[1:]), generator=generator)
    old = tensor[: new.start].float()
    rows = old.mean(dim=0) + NOISE * old.std(dim=0, correction=0) * noise
    return torch.cat([tensor[: new.start], rows.to(tensor.dtype), tensor[new.stop :]])
