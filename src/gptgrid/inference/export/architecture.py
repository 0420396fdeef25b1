"""Which models of others compute what a model here computes.

Keys that have no counterpart elsewhere, but can be moved into the weights, are the business of `terms.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.model.mask import layer_windows
from gptgrid.model.parametrization import head_width

ANY = object()
"""Stands for every value of a key."""


@dataclass(frozen=True)
class Architecture:
    """A model of others."""

    name: str
    """What others call it."""
    preset: str
    """Of an entry of `models`: gpt2 or llama, which it is with other keys."""
    allowed: dict[str, Any]
    """Key of `models` → the values that it can have, or ANY. The keys are those of `deciding`."""


def deciding(config: SimpleNamespace) -> dict[str, Any]:
    """Return the keys of a model that decide what it computes beyond sizes and weights.

    A value that changes nothing is None: a head as wide as d_model gives it, a window as long as the context.
    `document_mask` is not among them: a document alone is read the same with it and without.
    """
    windows = {window for window in layer_windows(config) if window and window < config.context}
    width = head_width(config)
    return {
        "preset": config.preset,
        "residual_mix": config.residual_mix,
        "logit_softcap": config.logit_softcap,
        "norm": config.norm,
        "norm_position": config.norm_position,
        "position": config.position,
        "activation": config.activation,
        "qk_norm": config.qk_norm,
        "bias": config.bias,
        "n_head": config.n_head if config.d_model % config.n_head else None,
        "head_dim": None if width * config.n_head == config.d_model else width,
        "window": max(windows, default=None),
    }


COMMON = {
    "preset": ("gpt2", "llama", "modern"),
    "residual_mix": (False,),
    "logit_softcap": (None,),
    "norm_position": ("pre",),
}
GPT2 = {
    **COMMON,
    "norm": ("layernorm",),
    "position": ("learned", "sinusoidal", "none"),
    "activation": ("gelu", "gelu_tanh", "relu", "relu2"),
    "qk_norm": (False,),
    "bias": ANY,
    "n_head": (None,),
    "head_dim": (None,),
    "window": (None,),
}
"""Radford et al. 2019. Other positions become a learned table, and biases and gains that are not there zeros
and ones."""
LLAMA = {
    **COMMON,
    "norm": ("rmsnorm",),
    "position": ("rope",),
    "activation": ("swiglu",),
    "qk_norm": (False,),
    "bias": ANY,
    "n_head": (None,),
    "head_dim": ANY,
    "window": (None,),
}
"""Touvron et al. 2023."""
QWEN3 = {**LLAMA, "qk_norm": (True,), "bias": (False,), "n_head": ANY, "window": ANY}
"""A Llama with normalized queries and keys, and with windows."""
NEUTRAL = {
    "n_head": "divisors of d_model",
    "head_dim": "d_model / n_head",
    "window": "the whole context",
    "logit_softcap": "none",
}
"""What None means, for a person."""


def choose(config: SimpleNamespace, architectures: Sequence[Architecture], where: str) -> Architecture:
    """Return the first of some architectures that computes what a model computes.

    Args:
        config: a resolved entry of `models`.
        architectures: to choose among.
        where: what has these architectures, for the error message.

    Raises:
        UserError: none does.
    """
    keys = deciding(config)

    def objections(architecture: Architecture) -> list[str]:
        return [
            f"{key}: {word(key, keys[key])} (it has {' or '.join(word(key, value) for value in values)})"
            for key, values in architecture.allowed.items()
            if values is not ANY and keys[key] not in values
        ]

    nearest = min(architectures, key=lambda architecture: len(objections(architecture)))
    if found := objections(nearest):
        raise UserError(
            f"{where} has no model with what this one computes; the nearest, {nearest.name}, lacks "
            f"{', '.join(found)}. Train a model without it, or export with `--to safetensors`, which holds "
            "every model"
        )
    return nearest


def word(key: str, value: Any) -> str:
    """Return a value of a key as a person writes it."""
    return NEUTRAL[key] if value is None else str(value).lower() if isinstance(value, bool) else str(value)
