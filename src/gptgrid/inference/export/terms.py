"""A model with the same logits that has only what a GPT-2 or a Llama has: the rest is moved into its weights.

A factor of the logits is one of the last norm's gain, a factor of the scores one of the queries, and what is
not there is zeros or ones.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import torch
from torch import Tensor

from gptgrid.model.cost import without_values
from gptgrid.model.embedding import sinusoids
from gptgrid.model.parametrization import attention_scale, head_width, width_multiplier

TOKENS, POSITIONS = "embedding.tokens.weight", "embedding.positions.weight"
NEUTRAL = {"norm_gain": True, "parametrization": "standard", "document_mask": False}
"""Keys of `models` that neither has."""


def in_their_terms(
    config: SimpleNamespace, weights: dict[str, Tensor], vocab_size: int, preset: str
) -> tuple[SimpleNamespace, dict[str, Tensor]]:
    """Return a model with the same logits that has only what a GPT-2 or a Llama has.

    Args:
        config: a resolved entry of `models` that gptgrid.inference.export.architecture accepts.
        weights: by their names here, in fp32.
        vocab_size: rows of the embedding.
        preset: gpt2 or llama.

    Returns:
        The entry of `models` that this would be, and its weights by their names here. A tensor that stays as
        it is is not copied.
    """
    there = SimpleNamespace(**{**vars(config), **NEUTRAL, "preset": preset, "head_dim": head_width(config)})
    if preset == "gpt2":
        there.bias, there.position, there.n_kv_head = True, "learned", config.n_head
    found = dict(weights)
    if config.position == "sinusoidal":
        found[POSITIONS] = sinusoids(config.context, config.d_model)
    scale_ends(found, config)
    for layer in range(config.n_layer):
        scale_queries(found, config, f"blocks.{layer}.attention")
        if there.n_kv_head != config.n_kv_head:
            give_each_head_its_own(found, config, f"blocks.{layer}.attention.qkv")
    for name, parameter in without_values(there, vocab_size).named_parameters():
        if name not in found:
            is_gain = "norm" in name and name.endswith("weight")
            found[name] = torch.full(parameter.shape, float(is_gain))
    return there, found


def scale_ends(weights: dict[str, Tensor], config: SimpleNamespace) -> None:
    """Move factors of the embeddings and of the logits into the embedding and the last norm."""
    into, out_of = 1.0, 1 / width_multiplier(config)
    if config.position == "sinusoidal":
        into = math.sqrt(config.d_model)
        out_of /= into if config.tie_embeddings else 1  # the output matrix grows with the embedding
    if into != 1:
        weights[TOKENS] = weights[TOKENS] * into
    if out_of != 1:
        gain = weights.get("norm.weight", torch.ones(config.d_model))
        weights["norm.weight"] = gain * out_of
        if "norm.bias" in weights:
            weights["norm.bias"] = weights["norm.bias"] * out_of


def scale_queries(weights: dict[str, Tensor], config: SimpleNamespace, attention: str) -> None:
    """Move what the factor of the attention scores is more than 1/√head_dim into the queries."""
    width = head_width(config)
    factor = attention_scale(config) * math.sqrt(width)
    if config.parametrization == "standard":
        return
    if config.qk_norm:  # which takes off again whatever factor stands before it
        name = f"{attention}.query_norm.weight"
        weights[name] = weights.get(name, torch.ones(width)) * factor
        return
    for name in (f"{attention}.qkv.weight", f"{attention}.qkv.bias"):
        if name in weights:
            weights[name] = weights[name].clone()
            weights[name][: config.n_head * width] *= factor


def give_each_head_its_own(weights: dict[str, Tensor], config: SimpleNamespace, qkv: str) -> None:
    """Repeat the keys and values that several heads share, for models in which heads share none."""
    width, times = head_width(config), config.n_head // config.n_kv_head
    sizes = [heads * width for heads in (config.n_head, config.n_kv_head, config.n_kv_head)]
    for name in (f"{qkv}.weight", f"{qkv}.bias"):
        if name in weights:
            queries, *shared = weights[name].split(sizes)
            own = [part.unflatten(0, (-1, width)).repeat_interleave(times, dim=0) for part in shared]
            weights[name] = torch.cat([queries, *(part.flatten(0, 1) for part in own)])
