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
from gptgrid.model.cost import count_parameters

ACTIVATION_BYTES = 2**30
"""Activations of one forward pass may take about this much."""
STATE_BYTES = 16
"""Bytes for each parameter: weight, gradient and Adam's two moments, in fp32."""


def micro_batch_rows(
    model: SimpleNamespace, vocab_size: int, wanted: int | str, rows: int, processes: int = 1
) -> int:
    """Return the windows of one forward pass.

    Args:
        model: the architecture.
        vocab_size: columns of the logits.
        wanted: `micro_batch` of the recipe, a number or `auto`.
        rows: windows in a batch.
        processes: that share a batch.

    Returns:
        At most `rows`; for `auto`, the passes of a batch are as equal as they can be, and each process has as
        many where there are enough windows.
    """
    if wanted != "auto":
        return min(wanted, rows)
    fitting = max(1, ACTIVATION_BYTES // (activation_bytes(model, vocab_size) * model.context))
    passes = ceil(ceil(rows / fitting) / processes) * processes
    return ceil(rows / passes)


def activation_bytes(model: SimpleNamespace, vocab_size: int) -> int:
    """Return about how many bytes a token's activations take until the backward pass, in fp32.

    A block keeps eight vectors of the width (both sums and norms, queries, keys, values, attention), some
    more for rotations, gains of RMSNorm and dropout, and the vectors of the feed-forward width. Attention
    maps are kept where dropout needs them: the kernels that go without them have none on the CPU. The loss
    takes three vectors of the vocabulary.
    """
    vectors = 8 + 2 * ((model.position == "rope") + (model.norm == "rmsnorm") + (model.dropout > 0))
    hidden = {"swiglu": 4, "relu": 1}.get(model.activation, 2)
    if model.preset == "encoder" and model.dropout:
        hidden += 2  # it drops in the middle of the feed-forward sublayer, too
    maps = 3 * model.n_head * model.context if model.dropout else 0
    block = vectors * model.d_model + hidden * model.d_ff + maps
    return 4 * (model.n_layer * block + 3 * vocab_size)


@contextmanager
def memory_errors(model: SimpleNamespace, vocab_size: int, rows: int) -> Iterator[None]:
    """Turn running out of memory inside into an error with the estimate and the keys to lower.

    Args:
        model: the architecture.
        vocab_size: columns of the logits.
        rows: windows in a forward pass.

    Raises:
        UserError: in place of the errors of torch, which differ by device.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        state = STATE_BYTES * count_parameters(model, vocab_size)
        activations = activation_bytes(model, vocab_size) * model.context * rows
        raise UserError(
            f"out of memory: weights, gradients and moments are about {state / 1e9:.2f} GB, activations of "
            f"{rows} windows of {model.context} tokens about {activations / 1e9:.2f} GB; lower "
            "training.micro_batch (the gradient stays that of the batch), set run.activation_checkpointing, "
            "or lower the model's context, d_model or n_layer"
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory ran out; torch's allocator of the CPU has no type for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def recompute_activations(module: nn.Module) -> None:
    """Let each block keep its input alone in a forward pass, and be computed again in the backward pass."""
    blocks = module.encoder.layers if hasattr(module, "encoder") else module.blocks
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
