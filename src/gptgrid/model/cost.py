"""What a model costs: parameters and arithmetic, counted without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from gptgrid.model.build import build
from gptgrid.model.parametrization import EMBEDDINGS, head_width

if TYPE_CHECKING:
    from gptgrid.config.models import Model


def parameter_count(module: nn.Module) -> dict[str, int]:
    """Return `parameters` (a tied matrix once) and `non_embedding_parameters`.

    The latter leaves out token, position and output embeddings, whose size the vocabulary decides.
    """
    sizes = {name: parameter.numel() for name, parameter in module.named_parameters()}
    inside = sum(size for name, size in sizes.items() if not name.startswith(EMBEDDINGS))
    return {"parameters": sum(sizes.values()), "non_embedding_parameters": inside}


def count_parameters(config: Model, vocab_size: int) -> int:
    """Return the parameters of a model from its configuration alone."""
    return parameter_count(without_values(config, vocab_size))["parameters"]


def flops_per_token(config: Model, vocab_size: int) -> int:
    """Return the floating point operations of forward and backward for one training token.

    Six for each weight of a matrix product (a multiplication and an addition, forward and twice backward),
    and 12 · n_layer · n_head · head_dim · context for the attention scores and their use (Chowdhery et al.
    2022, appendix B). That is as if nothing were masked: neither the causal rule nor windows nor documents
    take anything off, so that speeds compare with those that others report.
    """
    module = without_values(config, vocab_size)
    weights = sum(
        p.numel()
        for name, p in module.named_parameters()
        if p.ndim == 2 and not name.startswith("embedding.")
    )
    if config.tie_embeddings:
        weights += vocab_size * config.d_model  # the output product, whose matrix is named as the embedding
    return 6 * weights + 12 * config.n_layer * config.n_head * head_width(config) * config.context


def without_values(config: Model, vocab_size: int) -> nn.Module:
    """Return the model with the shapes of its weights only: no memory, no values."""
    with torch.device("meta"), WithoutCompiler():
        return build(config, vocab_size, eot=0)  # which id it is changes no shape


class WithoutCompiler(TorchFunctionMode):
    """Keeps layers without memory from what imports PyTorch's compiler, which takes seconds: from their own
    first values, which would be nothing here, and from working out tables, which stay on the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs.get("tensor", *args[:1])
        if func is torch.arange:
            kwargs = {**kwargs, "device": "cpu"}
        return func(*args, **kwargs)
