"""Attention over short contexts on a CPU, in bf16 and training.

scaled_dot_product_attention never holds all scores at once. A CPU has room for those of a short context, and
keeping their softmax makes the backward pass three to seven times as fast as there.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from gptgrid.model.mask import attention_bias

MAX_TIME = 512
"""Tokens; beyond, the scores cost more than they save."""


def supports(values: Tensor, training: bool) -> bool:
    """Say whether this kernel should compute attention with values: (batch, kv_head, time, head_dim)."""
    return training and values.is_cpu and values.dtype == torch.bfloat16 and values.shape[2] <= MAX_TIME


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, scale: float, dropout: float = 0.0
) -> Tensor:
    """Return values mixed by the scores: (batch, head, time, head_dim), as queries.

    Args:
        queries: (batch, head, time, head_dim).
        keys: the same, or fewer heads, each shared by a group of queries.
        values: as keys.
        bias: (batch or 1, head or 1, time, time) to add to the scores; None for the causal rule alone.
        scale: factor of the scores.
        dropout: share of the softmax that is set to 0; the rest is scaled up.
    """
    batch, heads, time, _ = queries.shape
    group = heads // keys.shape[1]
    if group > 1:
        keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
    if bias is None:
        bias = causal(time, values.dtype)
    elif bias.shape[:2] != (1, 1):
        bias = bias.expand(batch, heads, time, time)
    # Norms under autocast leave queries and keys in fp32.
    queries, keys = queries.to(values.dtype), keys.to(values.dtype)
    return AttentionWithSavedSoftmax.apply(
        queries, keys, values, bias.reshape(-1, time, time), scale, dropout
    )


@cache
def causal(time: int, dtype: torch.dtype) -> Tensor:
    """Return the bias of the causal rule: (1, 1, time, time)."""
    return attention_bias(0, time, dtype, torch.device("cpu"))


class AttentionWithSavedSoftmax(torch.autograd.Function):
    """dropout(softmax(scale · q kᵀ + bias)) v, with the softmax kept for the backward pass."""

    @staticmethod
    def forward(
        ctx, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float, dropout: float
    ) -> Tensor:
        """Return the mixed values: (batch, head, time, head_dim), as queries, keys and values."""
        shape = queries.shape
        # One copy each, in which heads lie one after the other: (batch · head, time, head_dim).
        queries, keys, values = (x.reshape(-1, *x.shape[2:]) for x in (queries, keys, values))
        scores = torch.baddbmm(bias, queries, keys.mT, alpha=scale)  # (batch · head, time, time)
        weights = torch.softmax(scores, dim=-1)
        mask = torch.empty_like(weights).bernoulli_(1 - dropout).div_(1 - dropout) if dropout else None
        ctx.save_for_backward(queries, keys, values, weights, mask)
        ctx.scale, ctx.shape = scale, shape
        return torch.bmm(weights if mask is None else weights * mask, values).view(shape)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of queries, keys and values."""
        queries, keys, values, weights, mask = ctx.saved_tensors
        grad = grad.reshape(values.shape)
        grad_weights = torch.bmm(grad, values.mT)
        grad_values = torch.bmm((weights if mask is None else weights * mask).mT, grad)
        if mask is not None:
            grad_weights *= mask
        grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
        ignored = grad.new_zeros(()).expand_as(grad)  # multiplied by beta, 0
        grad_queries = torch.baddbmm(ignored, grad_scores, keys, beta=0, alpha=ctx.scale)
        grad_keys = torch.baddbmm(ignored, grad_scores.mT, queries, beta=0, alpha=ctx.scale)
        gradients = (x.view(ctx.shape) for x in (grad_queries, grad_keys, grad_values))
        return *gradients, None, None, None
