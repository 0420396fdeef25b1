"""Normalization layers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from gptgrid.artifact.variants import Variants

if TYPE_CHECKING:
    from gptgrid.config.models import Model


def layer_norm(config: Model) -> nn.Module:
    """Return LayerNorm (Ba et al. 2016): zero mean and unit variance."""
    return nn.LayerNorm(config.d_model, config.norm_eps, config.norm_gain, config.bias)


def rms_norm(config: Model) -> nn.Module:
    """Return RMSNorm (Zhang and Sennrich 2019): unit root mean square."""
    return nn.RMSNorm(config.d_model, config.norm_eps, config.norm_gain)


NORMS = Variants({"layernorm": layer_norm, "rmsnorm": rms_norm})
"""`norm` of a model → the norm over its residual stream."""


def make_norm(config: Model) -> nn.Module:
    """Return the norm over the residual stream that a configuration names."""
    return NORMS[config.norm](config)
