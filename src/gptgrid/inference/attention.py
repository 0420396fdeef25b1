"""What attention computes in a forward pass of a model, written down while the model computes it.

The fast kernels never hold scores and softmax. While somebody records, the model's own attention takes the
steps of the formula one by one in their place; everything else of the pass is as always.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptgrid.model.attention import Attention
from gptgrid.model.mask import attention_bias


@dataclass(frozen=True)
class Attended:
    """Attention of one layer in one forward pass. A model may have fewer heads of keys than of queries: query
    head h reads key head h // (head / kv_head)."""

    queries: Tensor
    """(batch, head, time, head_dim), normalized and rotated where the model does so."""
    keys: Tensor
    """(batch, kv_head, time, head_dim), likewise."""
    values: Tensor
    """(batch, kv_head, time, head_dim)."""
    scale: float
    """Factor of the scores."""
    scores: Tensor
    """(batch, head, time, time): scale · queries keysᵀ; row = who looks, column = who is looked at."""
    bias: Tensor
    """(batch or 1, head or 1, time, time), added to the scores: -inf where a token may not look, elsewhere 0
    or what ALiBi takes off."""
    weights: Tensor
    """(batch, head, time, time): softmax(scores + bias), probabilities; each row sums to 1."""
    mixed: Tensor
    """(batch, head, time, head_dim): weights · values, before the output matrix."""


@contextmanager
def recording(module: nn.Module) -> Iterator[list[Attended]]:
    """Within this context, each forward pass of the model adds what its attention computes to a list,
    layer by layer.

    The results of the pass are those of the kernels up to rounding, and gradients pass.

    Args:
        module: from gptgrid.model.build or gptgrid.model.load, in eval mode. Passes with a cache cannot be
            recorded: give all tokens at once.
    """
    found: list[Attended] = []
    with ExitStack() as stack:
        for part in module.modules():
            if isinstance(part, Attention):
                put_in_place(stack, part, "attend", partial(attend, part, found))
            elif isinstance(part, nn.MultiheadAttention):
                put_in_place(stack, part, "forward", partial(forward, part, found))
        yield found


def put_in_place(stack: ExitStack, part: nn.Module, name: str, function: Any) -> None:
    """Let a part use a function in place of its method until the stack is left."""
    setattr(part, name, function)
    stack.callback(delattr, part, name)


def attend(
    part: Attention, found: list[Attended], queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
) -> Tensor:
    """Do what `Attention.attend` does, and record it."""
    if mask is None:
        mask = attention_bias(0, queries.shape[2], queries.dtype, queries.device)
    found.append(compute(queries, keys, values, mask, part.scale))
    return found[-1].mixed


def forward(
    part: nn.MultiheadAttention, found: list[Attended], x: Tensor, *_: Tensor, attn_mask: Tensor, **__: Any
) -> tuple[Tensor, None]:
    """Do what `nn.MultiheadAttention.forward` does within an nn.TransformerEncoder, and record it.

    x is (time, batch, d_model), attn_mask (time, time).
    """
    time, batch, width = x.shape
    product = functional.linear(x, part.in_proj_weight, part.in_proj_bias)
    queries, keys, values = product.view(time, batch, 3, part.num_heads, part.head_dim).permute(2, 1, 3, 0, 4)
    found.append(compute(queries, keys, values, attn_mask[None, None], 1 / math.sqrt(part.head_dim)))
    mixed = found[-1].mixed.permute(2, 0, 1, 3).reshape(time, batch, width)
    return part.out_proj(mixed), None


def compute(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float) -> Attended:
    """Return softmax(scale · queries keysᵀ + bias) values with all steps; for shapes see `Attended`."""
    group = queries.shape[1] // keys.shape[1]
    scores = scale * queries @ keys.repeat_interleave(group, dim=1).mT
    weights = torch.softmax(scores + bias, dim=-1)
    mixed = weights @ values.repeat_interleave(group, dim=1)
    return Attended(queries, keys, values, scale, scores, bias, weights, mixed)
