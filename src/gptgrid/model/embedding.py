"""From ids to vectors: the embedding of each token and, where attention does not tell it, of its position."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn

from gptgrid.model.position import sinusoids

if TYPE_CHECKING:
    from gptgrid.config.models import Model


class Embedding(nn.Module):
    """Token embeddings, with learned or sinusoidal positions if the configuration says so."""

    def __init__(self, config: Model, vocab_size: int) -> None:
        super().__init__()
        self.position, self.scale = config.position, 1.0
        self.tokens = nn.Embedding(vocab_size, config.d_model)
        if config.position == "learned":
            self.positions = nn.Embedding(config.context, config.d_model)
        elif config.position == "sinusoidal":
            # Scaled as in Vaswani et al. 2017, section 3.4, so that the fixed waves do not drown the tokens.
            self.scale = math.sqrt(config.d_model)
            self.register_buffer("waves", sinusoids(config.context, config.d_model), persistent=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        """Embed tokens (batch, time) that stand from place `start` on: (batch, time, d_model)."""
        x, end = self.tokens(tokens), start + tokens.shape[1]
        if self.position == "learned":
            x = x + self.positions.weight[start:end]
        elif self.position == "sinusoidal":
            x = x * self.scale + self.waves[start:end]
        return self.dropout(x)
