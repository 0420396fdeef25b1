"""From ids to vectors: the embedding of each token and, where attention does not tell it, of its position."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptgrid.artifact.variants import Variants

if TYPE_CHECKING:
    from gptgrid.config.models import Model


class LearnedPositions(nn.Embedding):
    """One vector for each position of the context, learned (Radford et al. 2019)."""

    def __init__(self, config: Model) -> None:
        super().__init__(config.context, config.d_model)

    def forward(self, x: Tensor, place: int | Tensor) -> Tensor:
        """Add positions, those of `from_place`, to token embeddings x: (batch, time, d_model)."""
        return x + from_place(self.weight, place, x.shape[1])


class SinusoidalPositions(nn.Module):
    """Fixed waves of falling frequency (Vaswani et al. 2017)."""

    def __init__(self, config: Model) -> None:
        super().__init__()
        # Scaled as in section 3.4 of the paper, so that the fixed waves do not drown the tokens.
        self.scale = math.sqrt(config.d_model)
        self.register_buffer("waves", sinusoids(config.context, config.d_model), persistent=False)

    def forward(self, x: Tensor, place: int | Tensor) -> Tensor:
        """Add positions, those of `from_place`, to token embeddings x: (batch, time, d_model)."""
        return x * self.scale + from_place(self.waves, place, x.shape[1])


def from_place(table: Tensor, place: int | Tensor, time: int) -> Tensor:
    """Return the rows of a table (context, width) for some tokens.

    Args:
        table: one row for each place.
        place: of the first token, the others following it, or (batch, time) of each token.
        time: tokens of each sequence.

    Returns:
        (time, width), or (batch, time, width).
    """
    if isinstance(place, int):
        return table[place : place + time]
    return functional.embedding(place, table)  # its backward pass is faster than that of an index


def sinusoids(context: int, d_model: int) -> Tensor:
    """Return the fixed positions (context, d_model) of Vaswani et al. 2017: sines and cosines in turn."""
    frequencies = 10000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float32) / d_model)
    angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies)  # (context, d_model / 2)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :d_model]


ABSOLUTE_POSITIONS = Variants({"learned": LearnedPositions, "sinusoidal": SinusoidalPositions})
"""`position` of a model → what adds positions to embeddings; other kinds act in attention, or not at all."""


class Embedding(nn.Module):
    """Token embeddings, with learned or sinusoidal positions if the configuration says so."""

    def __init__(self, config: Model, vocab_size: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, config.d_model)
        absolute = config.position in ABSOLUTE_POSITIONS
        self.positions = ABSOLUTE_POSITIONS[config.position](config) if absolute else None
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, place: int | Tensor = 0) -> Tensor:
        """Embed tokens: (batch, time) → (batch, time, d_model).

        Args:
            tokens: ids.
            place: of the first token, the others following it, or (batch, time) of each token.
        """
        x = self.tokens(tokens)
        if self.positions is not None:
            x = self.positions(x, place)
        return self.dropout(x)
