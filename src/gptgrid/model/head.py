"""The output matrix: from the last activations to logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gptgrid.model.linear import linear


def logits_of(head: nn.Linear, x: Tensor, exact: bool) -> Tensor:
    """Return x: (…, d_model) times the output matrix: (…, vocab_size).

    Args:
        head: the output matrix.
        x: activations after the last norm.
        exact: multiply in fp32, whatever the blocks compute in: a logit of bf16 has three digits, and a loss
            is the difference of logits. Training is faster without, and does not mind.
    """
    if not exact:
        return linear(x, head.weight.to(x.dtype), head.bias)
    bias = None if head.bias is None else head.bias.float()
    with torch.autocast(x.device.type, enabled=False):
        if head.weight.dtype == torch.float32:
            return head(x.float())
        return linear(x.float(), head.weight.float(), bias)
