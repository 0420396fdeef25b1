"""Normalization layers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from gptgrid.config.models import Model


def make_norm(config: Model) -> nn.Module:
    """Return the norm over the residual stream: Ba et al. 2016, or Zhang and Sennrich 2019."""
    if config.norm == "rmsnorm":
        return nn.RMSNorm(config.d_model, config.norm_eps, config.norm_gain)
    return nn.LayerNorm(config.d_model, config.norm_eps, config.norm_gain, config.bias)
