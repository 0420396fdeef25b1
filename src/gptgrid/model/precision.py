"""Number formats of a computation, and where each of them pays."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from gptgrid.artifact.errors import UserError

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
EMBEDDING = "embedding."
"""Begin of the names of parameters that are never rounded: a row of their gradient is a sum over many
tokens, which bf16 would cut off."""
HEAD = "head."
"""The same of the output matrix, which makes the logits."""
PREDICTION = ("fp32", "auto")
"""What a model that learns no more may be asked to compute in."""
LEAST_ACTIVATIONS = 2**14
"""Tokens of a forward pass × d_model from which rounding pays on a CPU: products become faster, but each
takes more calls. A step in bf16_weights, measured with d_model from 16 to 128 and 64 to 4,096 tokens, needs
0.98 to 1.15 of the time of fp32 at half of it, as much at it, and 0.6 to 0.8 at twice of it."""


def choose_precision(precision: str, device: torch.device, activations: int = LEAST_ACTIVATIONS) -> str:
    """Return what a precision of the recipe is; only `auto` depends on the rest.

    Args:
        precision: of the recipe.
        device: where it computes.
        activations: tokens of a forward pass × d_model; default: enough that rounding pays.
    """
    if precision != "auto":
        return precision
    if device.type == "cpu":
        if activations < LEAST_ACTIVATIONS:
            return "fp32"
        # Without instructions for it, bf16 is slower than fp32; torch may also be told not to use them.
        uses_avx512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
        return "bf16_weights" if uses_avx512 and torch.cpu._is_avx512_bf16_supported() else "fp32"
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16_weights"
    return "fp32"


def round_for_prediction(module: nn.Module, precision: str) -> str:
    """Round, in place, the weights inside the blocks of a model that learns no more, where that pays.

    What would be autocast in training can as well be rounded once. Embeddings and the output matrix stay as
    they are, and logits are fp32.

    Args:
        module: the model, on its device.
        precision: fp32, or auto.

    Returns:
        What it computes in: fp32 or bf16_weights.

    Raises:
        UserError: there is no such precision.
    """
    if precision not in PREDICTION:
        raise UserError(f"precision is {precision!r}; expected {' or '.join(PREDICTION)}")
    chosen = choose_precision(precision, next(module.parameters()).device)
    round_weights(module, chosen, exact=(EMBEDDING, HEAD))
    return chosen


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
