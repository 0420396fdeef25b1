"""First weights: from the seed and the parameter's name alone, the same on every device."""

from __future__ import annotations

import math

import torch
from torch import nn

from gptgrid.model.parametrization import is_hidden, width_multiplier
from gptgrid.seeds import derive

INTO_RESIDUAL = ("attention.output.weight", "feed_forward.down.weight", "out_proj.weight", "linear2.weight")
"""Ends of the names of matrices that write into the residual stream."""
ZERO = ("bias", "recall")
"""Ends of the names of vectors that begin at zero, as what they add to is there without them."""


@torch.no_grad()
def initialize(module: nn.Module, seed: int) -> None:
    """Set all weights in place: normal for matrices and embeddings, 1 for gains, 0 for biases and `recall`.

    What writes into the residual stream is divided by √(2 n_layer), so that the stream's variance does not
    grow with depth (Radford et al. 2019), or zero with `zero_init`: a pre-norm block then begins as the
    identity (Zhang et al. 2019, Fixup). With `zero_head` an output matrix of its own is zero, too. What mup
    does stands in `parametrization.py`. Each parameter has a random stream of its own, and the global one is
    not touched.
    """
    config = module.config
    zero = (*(INTO_RESIDUAL if config.zero_init else ()), *(("head.weight",) if config.zero_head else ()))
    for name, parameter in module.named_parameters():
        if name.endswith(zero):
            parameter.zero_()
        elif parameter.ndim > 1:
            std = config.init_std
            if is_hidden(name, parameter):
                std /= math.sqrt(width_multiplier(config))
            if name.endswith(INTO_RESIDUAL):
                std /= math.sqrt(2 * config.n_layer)
            generator = torch.Generator().manual_seed(derive(seed, f"initialization/{name}"))
            parameter.copy_(torch.empty(parameter.shape).normal_(0.0, std, generator=generator))
        else:
            parameter.fill_(0.0 if name.endswith(ZERO) else 1.0)
