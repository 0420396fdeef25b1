"""How attention knows where tokens stand: rotations, biases and masks, made once for the whole context."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from gptgrid.config import Model


@dataclass
class Span:
    """What attention needs to know of the positions start … end-1."""

    cosines: Tensor | None
    """(time, head width) for rotary positions."""
    sines: Tensor | None
    bias: Tensor | None
    """(heads or 1, time, end) to add to the scores, -inf where a token may not look; None if the plain
    causal rule is all there is."""


class Geometry(nn.Module):
    """The tables of a model's positions. They are buffers, not weights, and no file holds them."""

    def __init__(self, config: Model) -> None:
        super().__init__()
        cosines = sines = bias = None
        if config.position == "rope":
            cosines, sines = rotations(config.context, config.d_model // config.n_head, config.rope_theta)
        if config.position == "alibi" or config.window is not None:
            bias = causal_bias(config.context, config.window)
        if config.position == "alibi":
            bias = bias + alibi_bias(config.context, config.n_head)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.register_buffer("causal", causal_bias(config.context, None), persistent=False)

    def at(self, start: int, end: int) -> Span:
        """Return the tables for the positions start … end-1, which see 0 … end-1."""
        bias = self.bias
        if bias is None and start > 0 and end - start > 1:
            bias = self.causal  # several tokens behind a cache: the kernel's own causal rule does not fit
        return Span(
            None if self.cosines is None else self.cosines[start:end],
            None if self.sines is None else self.sines[start:end],
            None if bias is None else bias[:, start:end, :end],
        )


def rotations(context: int, width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Return cosines and sines (context, width) of RoPE (Su et al. 2021).

    Dimension i turns with dimension i + width/2, as in the released Llama weights of transformers.
    """
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, span: Span) -> Tensor:
    """Turn queries or keys x: (batch, heads, time, width) by their positions."""
    left, right = x.chunk(2, dim=-1)
    turned = torch.cat((-right, left), dim=-1)
    return x * span.cosines.to(x.dtype) + turned * span.sines.to(x.dtype)


def causal_bias(context: int, window: int | None) -> Tensor:
    """Return (1, context, context): 0 where a query (row) may look at a key (column), -inf elsewhere.

    A query sees itself and what stands before it, with a window at most `window` tokens in all.
    """
    distance = distances(context)
    visible = (distance >= 0) & (distance < (window or context))
    return torch.zeros(context, context).masked_fill(~visible, -math.inf)[None]


def alibi_bias(context: int, n_head: int) -> Tensor:
    """Return (n_head, context, context): minus slope × distance (Press et al. 2022).

    The slopes of a power of two are 2^(-8/n), 2^(-16/n), …; other numbers of heads take the next power's
    slopes from every second one, as in the authors' code.
    """

    def slopes(n: int) -> list[float]:
        if math.log2(n).is_integer():
            return [2 ** (-8 * (i + 1) / n) for i in range(n)]
        below = 2 ** math.floor(math.log2(n))
        return slopes(below) + slopes(2 * below)[0::2][: n - below]

    return -torch.tensor(slopes(n_head))[:, None, None] * distances(context).clamp(min=0)


def distances(context: int) -> Tensor:
    """Return (context, context): how far a key (column) stands before a query (row)."""
    places = torch.arange(context)
    return places[:, None] - places[None, :]


def sinusoids(context: int, width: int) -> Tensor:
    """Return the fixed positions (context, width) of Vaswani et al. 2017: sines and cosines in turn."""
    frequencies = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :width]
