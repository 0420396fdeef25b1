"""Attention over short contexts on a CPU, in bf16 and training.

scaled_dot_product_attention never holds all scores at once. A CPU has room for those of a short context, and
keeping their softmax makes the backward pass three to seven times as fast as there.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from gptgrid.model.mask import attention_bias

LONGEST = 512
"""Tokens; beyond, the scores cost more than they save."""


def serves(values: Tensor, training: bool) -> bool:
    """Say whether this kernel should compute attention with values: (batch, heads, time, width)."""
    return training and values.is_cpu and values.dtype == torch.bfloat16 and values.shape[2] <= LONGEST


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, scale: float, dropout: float = 0.0
) -> Tensor:
    """Return values mixed by the scores: (batch, heads, time, width), as queries.

    Args:
        queries: (batch, heads, time, width).
        keys: the same, or fewer heads, each shared by a group of queries.
        values: as keys.
        bias: (batch or 1, heads or 1, time, time) to add to the scores; None for the causal rule alone.
        scale: factor of the scores.
        dropout: share of the softmax that is set to 0; the rest is scaled up.
    """
    batch, heads, time, width = queries.shape
    group = heads // keys.shape[1]
    if group > 1:
        keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
    if bias is None:
        bias = causal(time, values.dtype)
    elif bias.shape[:2] != (1, 1):
        bias = bias.expand(batch, heads, time, time)
    # Norms under autocast leave queries and keys in fp32.
    flat = (x.reshape(batch * heads, time, width).to(values.dtype) for x in (queries, keys, values))
    return KeptScores.apply(*flat, bias.reshape(-1, time, time), scale, dropout).view(
        batch, heads, time, width
    )


@cache
def causal(time: int, dtype: torch.dtype) -> Tensor:
    """Return the bias of the causal rule: (1, 1, time, time)."""
    return attention_bias(0, time, dtype, torch.device("cpu"))


class KeptScores(torch.autograd.Function):
    """dropout(softmax(scale · q kᵀ + bias)) v, with the softmax kept for the backward pass."""

    @staticmethod
    def forward(
        ctx, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float, dropout: float
    ) -> Tensor:
        """Return the mixed values: (batch · heads, time, width), as the three given."""
        shares = torch.softmax(torch.baddbmm(bias, queries, keys.mT, alpha=scale), dim=-1)
        kept = torch.empty_like(shares).bernoulli_(1 - dropout).div_(1 - dropout) if dropout else None
        ctx.save_for_backward(queries, keys, values, shares, kept)
        ctx.scale = scale
        return (shares if kept is None else shares * kept) @ values

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of queries, keys and values."""
        queries, keys, values, shares, kept = ctx.saved_tensors
        grad_shares = grad @ values.mT
        grad_values = (shares if kept is None else shares * kept).mT @ grad
        if kept is not None:
            grad_shares *= kept
        grad_scores = torch._softmax_backward_data(grad_shares, shares, -1, shares.dtype)
        nothing = grad.new_zeros(()).expand_as(grad)
        grad_queries = torch.baddbmm(nothing, grad_scores, keys, beta=0, alpha=ctx.scale)
        grad_keys = torch.baddbmm(nothing, grad_scores.mT, queries, beta=0, alpha=ctx.scale)
        return grad_queries, grad_keys, grad_values, None, None, None
