"""How attention knows where tokens stand: rotations, biases and masks, made once for a forward pass.

Positions that are added to the embeddings are in `embedding.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gptgrid.artifact.variants import Variants
from gptgrid.model import flex
from gptgrid.model.embedding import from_place
from gptgrid.model.mask import attention_bias, layer_windows
from gptgrid.model.parametrization import head_width

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

    from gptgrid.config.models import Model


@dataclass
class AttentionInputs:
    """What every attention layer needs in a forward pass beside the residual stream."""

    time: int
    """Tokens of each sequence."""
    cosines: Tensor | None
    """(time, head_dim) for rotary positions, or (batch, 1, 1, head_dim); None for others."""
    sines: Tensor | None
    masks: dict[int | None, Tensor | BlockMask | None]
    """Window → mask of the layers with that window; None if the plain causal rule is all there is."""


def rope(config: Model) -> dict[str, Tensor]:
    """Return the tables of rotary positions (Su et al. 2021): cosines and sines, (context, head_dim).

    Dimension i turns with dimension i + head_dim/2, as in the released Llama weights of transformers. The
    sines of the first half are negative, as `rotate` only adds.
    """
    head_dim = head_width(config)
    frequencies = config.rope_theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(config.context, dtype=torch.float32), frequencies)
    cosines, sines = angles.cos(), angles.sin()
    return {"cosines": cosines.repeat(1, 2), "sines": torch.cat((-sines, sines), dim=-1)}


def alibi(config: Model) -> dict[str, Tensor]:
    """Return the table of ALiBi (Press et al. 2022): a slope for each head, (n_head,)."""
    return {"slopes": torch.tensor(alibi_slopes(config.n_head))}


def alibi_slopes(n_head: int) -> list[float]:
    """Return how fast each head's scores fall with distance (Press et al. 2022).

    The slopes of a power of two are 2^(-8/n), 2^(-16/n), …; other numbers of heads take the next power's
    slopes from every second one, as in the authors' code.
    """
    if math.log2(n_head).is_integer():
        return [2 ** (-8 * (i + 1) / n_head) for i in range(n_head)]
    below = 2 ** math.floor(math.log2(n_head))
    return alibi_slopes(below) + alibi_slopes(2 * below)[0::2][: n_head - below]


RELATIVE_POSITIONS = Variants({"rope": rope, "alibi": alibi})
"""`position` of a model → the tables that attention takes it from. The other kinds need none there."""


class Positions(nn.Module):
    """The tables of a model's relative positions. They are buffers, not weights, and no file holds them."""

    def __init__(self, config: Model) -> None:
        super().__init__()
        self.config = config
        self.windows = set(layer_windows(config))
        relative = config.position in RELATIVE_POSITIONS
        tables = RELATIVE_POSITIONS[config.position](config) if relative else {}
        for name in ("cosines", "sines", "slopes"):
            self.register_buffer(name, tables.get(name), persistent=False)

    def inputs(
        self, x: Tensor, start: int | Tensor, documents: Tensor | None, end: int | None = None
    ) -> AttentionInputs:
        """Return what attention needs for the embeddings x: (batch, time, d_model).

        Args:
            x: embeddings, whose first token stands at place `start`.
            start: tokens before them, in the cache; (batch,) if sequences of one token each differ in it.
            documents: (batch, end) numbers of documents, None if attention ignores them.
            end: place behind the last token of all; None: start + time.
        """
        device, end = x.device, start + x.shape[1] if end is None else end
        ragged = not isinstance(start, int)
        autocast = torch.is_autocast_enabled(device.type)
        dtype = torch.get_autocast_dtype(device.type) if autocast else x.dtype

        def mask(window: int | None) -> Tensor | BlockMask | None:
            if (
                documents is not None
                and not ragged
                and start == 0
                and flex.supports(self.config, self.training, device, *documents.shape)
            ):
                return flex.block_mask(documents, window)
            # The kernel's own causal rule fits all tokens from the start; a last one alone needs no rule.
            causal_in_kernel = not ragged and (start == 0 or end - start == 1)
            if causal_in_kernel and window is None and documents is None and self.slopes is None:
                return None
            return attention_bias(start, end, dtype, device, window, documents, self.slopes)

        def rotation(table: Tensor | None) -> Tensor | None:
            if table is None:
                return None
            rows = from_place(table, start[:, None] if ragged else start, x.shape[1]).to(dtype)
            return rows[:, None] if ragged else rows

        return AttentionInputs(
            x.shape[1],
            rotation(self.cosines),
            rotation(self.sines),
            {window: mask(window) for window in self.windows},
        )


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn queries or keys by their positions.

    Args:
        x: (batch, head, time, head_dim).
        cosines: (time, head_dim), or of one token each (batch, 1, 1, head_dim).
        sines: as cosines.
    """
    return torch.addcmul(x * cosines, x.roll(x.shape[-1] // 2, dims=-1), sines)
