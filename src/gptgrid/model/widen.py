"""More tokens for a trained model: rows of its embedding and of its output matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from gptgrid.seeds import derive

BY_TOKEN = ("embedding.tokens.weight", "head.weight", "head.bias")
"""Weights that have a row for each token."""
NOISE = 0.01
"""Deviation of a new row, in units of that of the old ones: new tokens are not quite alike."""


def widened(weights: dict[str, Tensor], vocab_size: int, seed: int) -> dict[str, Tensor]:
    """Return weights with rows for more tokens; the logits of the old ones stay as they are.

    A new row is the mean of the old ones and a little noise: so a new token takes about its share of the
    probability, and the distribution over the old ones changes as little as it can (Hewitt 2021,
    "Initializing New Word Embeddings for Pretrained Language Models").

    Args:
        weights: of a model, by name.
        vocab_size: tokens that it is to have, at least as many as it has.
        seed: of the noise.
    """
    return {
        name: with_rows(tensor, vocab_size, derive(seed, f"new tokens/{name}"))
        if name in BY_TOKEN
        else tensor
        for name, tensor in weights.items()
    }


def with_rows(tensor: Tensor, rows: int, key: int) -> Tensor:
    """Return a tensor (old, …) with new rows behind the old ones: (rows, …)."""
    generator = torch.Generator().manual_seed(key)
    noise = torch.randn((rows - len(tensor), *tensor.shape[1:]), generator=generator)
    old = tensor.float()
    new = old.mean(dim=0) + NOISE * old.std(dim=0, correction=0) * noise
    return torch.cat([tensor, new.to(tensor.dtype)])
