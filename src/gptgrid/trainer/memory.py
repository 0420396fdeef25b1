"""How much memory a training takes: an estimate by shapes alone, and what saves memory.

Not measured and not by device, so that `micro_batch: auto` means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from types import SimpleNamespace

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from gptgrid.artifact.errors import UserError
from gptgrid.model import memory
from gptgrid.model.cost import count_parameters
from gptgrid.model.memory import activation_bytes, check_memory

ACTIVATION_BYTES = 2**30
"""Activations of one forward pass may take about this much."""
WEIGHT_BYTES = 4
"""Bytes of a weight in fp32."""
STATE_BYTES = 4 * WEIGHT_BYTES
"""Bytes for each parameter that learns: weight, gradient and Adam's two moments."""
ADVICE = (
    "lower training.micro_batch (the gradient stays that of the batch), set run.activation_checkpointing, or "
    "lower the model's context, d_model, d_ff or n_layer"
)
SMALLER = "lower the model's d_model, d_ff or n_layer, or the tokenizer's vocab_size"
"""What helps where the weights alone are too many."""


def micro_batch_rows(
    model: SimpleNamespace, vocab_size: int, micro_batch: int | str, rows: int, processes: int = 1
) -> int:
    """Return the windows of one forward pass.

    Args:
        model: the architecture.
        vocab_size: columns of the logits.
        micro_batch: of the recipe, a number or `auto`.
        rows: windows in a batch.
        processes: that share a batch.

    Returns:
        At most `rows`; for `auto`, the passes of a batch are as equal as they can be, and each process has as
        many where there are enough windows.
    """
    if micro_batch != "auto":
        return min(micro_batch, rows)
    fitting = max(1, ACTIVATION_BYTES // (activation_bytes(model, vocab_size) * model.context))
    passes = ceil(ceil(rows / fitting) / processes) * processes
    return ceil(rows / passes)


def state_bytes(model: SimpleNamespace, vocab_size: int, adapters: int | None) -> int:
    """Return the bytes of the weights, and of the gradients and moments of those that learn.

    Args:
        model: the architecture.
        vocab_size: columns of the logits.
        adapters: parameters that learn beside the model, of which none does then; None if all of it learns.
    """
    parameters = count_parameters(model, vocab_size)
    if adapters is None:
        return STATE_BYTES * parameters
    return WEIGHT_BYTES * parameters + STATE_BYTES * adapters


def check_training(
    model: SimpleNamespace,
    vocab_size: int,
    adapters: int | None,
    rows: int,
    precision: str,
    recompute: bool,
    device: torch.device,
) -> None:
    """Refuse a training that does not fit, before it takes any memory.

    Args:
        model: the architecture.
        vocab_size: columns of the logits.
        adapters: as for `state_bytes`.
        rows: windows in a forward pass.
        precision: what it computes in.
        recompute: activations are computed again in the backward pass.
        device: where it computes.

    Raises:
        UserError: there is too little memory.
    """
    if device.type != "cpu":
        # The first weights are drawn on the CPU, so that they are the same for every device.
        first = WEIGHT_BYTES * count_parameters(model, vocab_size)
        check_memory({"first weights": first}, torch.device("cpu"), SMALLER)
    activations = activation_bytes(
        model, vocab_size, 1 if recompute else None, bytes_per_number=4 if precision == "fp32" else 2
    )
    needed = {
        "weights, gradients and moments": state_bytes(model, vocab_size, adapters),
        f"activations of {rows} windows of {model.context} tokens": activations * model.context * rows,
    }
    fits = needed["weights, gradients and moments"] <= memory.memory_left(device)
    check_memory(needed, device, ADVICE if fits else SMALLER)


@contextmanager
def memory_errors(model: SimpleNamespace, vocab_size: int, adapters: int | None, rows: int) -> Iterator[None]:
    """Turn running out of memory inside into an error with the estimate and the keys to lower.

    Args:
        model: the architecture.
        vocab_size: columns of the logits.
        adapters: as for `state_bytes`.
        rows: windows in a forward pass.

    Raises:
        UserError: in place of the errors of torch, which differ by device.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        state = state_bytes(model, vocab_size, adapters)
        activations = activation_bytes(model, vocab_size) * model.context * rows
        raise UserError(
            f"out of memory: weights, gradients and moments are about {state / 1e9:.2f} GB, activations of "
            f"{rows} windows of {model.context} tokens about {activations / 1e9:.2f} GB; {ADVICE}"
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory ran out; torch's allocator of the CPU has no type for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def recompute_activations(module: nn.Module) -> None:
    """Let each block keep its input alone in a forward pass, and be computed again in the backward pass."""
    for block in module.blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
