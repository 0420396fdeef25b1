"""Attention within documents on a GPU, in training: it skips the blocks of scores that are masked anyway.

The rule is that of `mask.py`; the kernel is PyTorch's flex_attention, compiled for the GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from gptgrid.model.mask import is_near
from gptgrid.model.parametrization import head_width

if TYPE_CHECKING:
    from gptgrid.config.models import Model

MIN_HEAD_DIM = 16
"""The kernel multiplies tiles of at least this width."""
LEAST_SCORES = 2**26
"""Scores of a layer (rows × heads × time²) from which skipping blocks pays. By estimate an H200 computes so
many with a mask in a millisecond, there and back; Python needs about as long for the blocks, and keeps a
model with fewer from being recorded as a CUDA graph, which holds no blocks."""


def supports(config: Model, training: bool, device: torch.device, rows: int, time: int) -> bool:
    """Say whether this kernel can and should compute the attention of a forward pass.

    Args:
        config: the architecture.
        training: the pass is one of a training.
        device: where it computes.
        rows: sequences in the pass.
        time: tokens of each.
    """
    possible = (
        config.dropout == 0  # the kernel has none
        and config.position != "alibi"
        and head_width(config) >= MIN_HEAD_DIM
    )
    pays = rows * config.n_head * time**2 >= LEAST_SCORES
    # Texts of ever new lengths, as in generation, would compile it again and again.
    return possible and pays and training and device.type == "cuda"


def block_mask(documents: Tensor, window: int | None) -> BlockMask:
    """Return the mask of tokens that look at their own document only.

    Args:
        documents: (batch, time) numbers of documents.
        window: tokens that a query may look back on, itself among them; None for all.
    """

    def visible(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return is_near(query - key, window) & (documents[batch, query] == documents[batch, key])

    batch, time = documents.shape
    return create_block_mask(visible, batch, None, time, time, device=documents.device)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: BlockMask, scale: float) -> Tensor:
    """Return values mixed by the scores: (batch, head, time, head_dim), as queries.

    Keys and values may have fewer heads, each shared by a group of queries.
    """
    kernel = compiled() if queries.is_cuda else flex_attention
    # After norms, autocast on a GPU leaves queries and keys in fp32.
    queries, keys = queries.to(values.dtype), keys.to(values.dtype)
    return kernel(queries, keys, values, block_mask=mask, scale=scale, enable_gqa=True)


@cache
def compiled() -> Callable[..., Tensor]:
    """Return flex_attention as one fused kernel."""
    return torch.compile(flex_attention)
