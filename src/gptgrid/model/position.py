"""How attention knows where tokens stand: rotations, biases and masks, made once for a forward pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gptgrid.model import flex
from gptgrid.model.mask import attention_bias, layer_windows

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

    from gptgrid.config.models import Model


@dataclass
class Span:
    """What attention needs to know of the tokens of a forward pass."""

    cosines: Tensor | None
    """(time, head width) for rotary positions."""
    sines: Tensor | None
    masks: dict[int | None, Tensor | BlockMask | None]
    """Window → what layers with that window may look at; None if the plain causal rule is all there is."""


class Geometry(nn.Module):
    """The tables of a model's positions. They are buffers, not weights, and no file holds them."""

    def __init__(self, config: Model) -> None:
        super().__init__()
        self.config = config
        self.windows = set(layer_windows(config))
        cosines = sines = slopes = None
        if config.position == "rope":
            cosines, sines = rotations(config.context, config.d_model // config.n_head, config.rope_theta)
        elif config.position == "alibi":
            slopes = torch.tensor(alibi_slopes(config.n_head))
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        self.register_buffer("slopes", slopes, persistent=False)

    def at(self, x: Tensor, start: int, documents: Tensor | None) -> Span:
        """Return what attention needs for the embeddings x: (batch, time, d_model).

        Args:
            x: embeddings, whose first token stands at place `start`.
            start: tokens before them, in the cache.
            documents: (batch, start + time) numbers of documents, None if attention ignores them.
        """
        device, end = x.device, start + x.shape[1]
        autocast = torch.is_autocast_enabled(device.type)
        dtype = torch.get_autocast_dtype(device.type) if autocast else x.dtype

        def mask(window: int | None) -> Tensor | BlockMask | None:
            if documents is not None and start == 0 and flex.serves(self.config, self.training, device):
                return flex.block_mask(documents, window)
            # The kernel's own causal rule fits all tokens from the start; a last one alone needs no rule.
            ruled_by_kernel = start == 0 or end - start == 1
            if ruled_by_kernel and window is None and documents is None and self.slopes is None:
                return None
            return attention_bias(start, end, dtype, device, window, documents, self.slopes)

        return Span(
            None if self.cosines is None else self.cosines[start:end].to(dtype),
            None if self.sines is None else self.sines[start:end].to(dtype),
            {window: mask(window) for window in self.windows},
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
    return x * span.cosines + turned * span.sines


def alibi_slopes(n_head: int) -> list[float]:
    """Return how fast each head's scores fall with distance (Press et al. 2022).

    The slopes of a power of two are 2^(-8/n), 2^(-16/n), …; other numbers of heads take the next power's
    slopes from every second one, as in the authors' code.
    """
    if math.log2(n_head).is_integer():
        return [2 ** (-8 * (i + 1) / n_head) for i in range(n_head)]
    below = 2 ** math.floor(math.log2(n_head))
    return alibi_slopes(below) + alibi_slopes(2 * below)[0::2][: n_head - below]


def sinusoids(context: int, width: int) -> Tensor:
    """Return the fixed positions (context, width) of Vaswani et al. 2017: sines and cosines in turn."""
    frequencies = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :width]
