"""How many windows go through the model at once: an estimate by the model's shape alone.

Not measured and not by device, so that `micro_batch: auto` means the same everywhere.
"""

from __future__ import annotations

from math import ceil
from types import SimpleNamespace

ACTIVATION_BYTES = 2**30
"""Activations of one forward pass may take about this much."""


def micro_batch_rows(model: SimpleNamespace, vocab_size: int, wanted: int | str, rows: int) -> int:
    """Return the windows of one forward pass.

    Args:
        model: the architecture.
        vocab_size: columns of the logits.
        wanted: `micro_batch` of the recipe, a number or `auto`.
        rows: windows in a batch.

    Returns:
        At most `rows`; for `auto`, the passes of a batch are as equal as they can be.
    """
    if wanted != "auto":
        return min(wanted, rows)
    fitting = max(1, ACTIVATION_BYTES // (activation_bytes(model, vocab_size) * model.context))
    return ceil(rows / ceil(rows / fitting))


def activation_bytes(model: SimpleNamespace, vocab_size: int) -> int:
    """Return about how many bytes a token's activations take until the backward pass, in fp32.

    A block keeps about twelve vectors of the width (norms, queries, keys, values, attention, sums) and
    three of the feed-forward width, four if gated; the loss keeps three of the vocabulary. Attention maps
    are not kept by the fused kernels.
    """
    hidden = (4 if model.activation == "swiglu" else 3) * model.d_ff
    return 4 * (model.n_layer * (12 * model.d_model + hidden) + 3 * vocab_size)
