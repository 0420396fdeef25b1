"""How weights, scores and learning rates change with the width of the model.

`standard` changes nothing. `mup`, the maximal update parametrization (Yang et al. 2022, Tensor Programs V,
table 8, for Adam), makes a learning rate that is good at one width good at all. With
m = d_model / base_width, the width in units of that at which both are the same model:

    hidden matrices     first weights / √m, learning rate / m
    embeddings          as they are, also where one is the output matrix
    logits              / m
    attention scores    / head_dim in place of / √head_dim, equal to it at the base model
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from gptgrid.config.models import Model

EMBEDDINGS = ("embedding.", "head.")
"""Beginnings of the names of token, position and output embeddings: one side is not the model's width."""


def is_hidden(name: str, parameter: Tensor) -> bool:
    """Say whether a parameter is a matrix from width to width."""
    return parameter.ndim == 2 and not name.startswith(EMBEDDINGS)


def head_width(config: Model) -> int:
    """Return the width of a head: `head_dim`, or what d_model gives each of n_head."""
    # A model that was trained before there was such a key does not name it.
    return getattr(config, "head_dim", None) or config.d_model // config.n_head


def width_multiplier(config: Model) -> float:
    """Return m: the model's width in units of the base model's; 1 for `standard`."""
    return config.d_model / config.base_width if config.parametrization == "mup" else 1.0


def attention_scale(config: Model) -> float:
    """Return the factor of the attention scores."""
    head_dim = head_width(config)
    base_head_dim = config.base_width / config.base_n_head if config.parametrization == "mup" else head_dim
    return math.sqrt(base_head_dim / head_dim) / math.sqrt(head_dim)


def lr_scale(config: Model, name: str, parameter: Tensor) -> float:
    """Return the factor of Adam's learning rate for a parameter by its name in `named_parameters`."""
    return 1 / width_multiplier(config) if is_hidden(name, parameter) else 1.0


def muon_lr_scale(config: Model, name: str, parameter: Tensor) -> float:
    """Return the factor of Muon's learning rate for a hidden matrix: 1/√m.

    Its updates have the root mean square of Adam's, but their singular values are all alike: what they do to
    the activations grows with √m, not with m.
    """
    return width_multiplier(config) ** -0.5
