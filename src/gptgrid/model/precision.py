"""Number formats of a computation, and where each of them pays."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
EMBEDDING = "embedding."
"""Begin of the names of parameters that are never rounded: a row of their gradient is a sum over many
tokens, which bf16 would cut off."""
HEAD = "head."
"""The same of the output matrix, which makes the logits."""


def choose_precision(precision: str, device: torch.device) -> str:
    """Return what a precision of the recipe is on a device; only `auto` depends on it."""
    if precision != "auto":
        return precision
    if device.type == "cpu":
        # Without instructions for it, bf16 is slower than fp32; torch may also be told not to use them.
        uses_avx512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
        return "bf16_weights" if uses_avx512 and torch.cpu._is_avx512_bf16_supported() else "fp32"
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16_weights"
    return "fp32"


def autocast(precision: str, device: torch.device, cast_once: bool = True) -> AbstractContextManager:
    """Return the context of a forward pass; `cast_once` keeps a weight's rounded copy for all of it."""
    if precision not in AUTOCAST:
        return nullcontext()
    return torch.autocast(device.type, AUTOCAST[precision], cache_enabled=cast_once)


def round_weights(
    module: nn.Module, precision: str, exact: tuple[str, ...] = (EMBEDDING,)
) -> dict[str, tuple[Tensor, nn.Parameter]]:
    """Round weights to bf16 in place, if the precision is `bf16_weights`.

    Args:
        module: the model.
        precision: not `auto`.
        exact: begins of the names of parameters that stay as they are.

    Returns:
        Name → the exact weight, and the parameter that was rounded.
    """
    if precision != "bf16_weights":
        return {}
    rounded = {}
    for name, parameter in module.named_parameters():
        if not name.startswith(exact):
            rounded[name] = parameter.data, parameter
            parameter.data = parameter.data.bfloat16()
    return rounded
