"""The logit lens (nostalgebraist 2020): what a model would predict if it ended after an earlier block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gptgrid.model.encoder import Encoder
from gptgrid.model.head import logits_of


@torch.no_grad()
def lens_logits(module: nn.Module, stream: Tensor) -> Tensor:
    """Return the logits (time, vocab_size) of a residual stream (time, d_model), by the model's own end.

    After the last block these are the model's logits.
    """
    if isinstance(module, Encoder):
        norm = module.encoder.norm
        return logits_of(module.head, stream if norm is None else norm(stream), exact=True)
    return module.predict(stream)
