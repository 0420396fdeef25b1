"""Whether to compile a model: only where that pays for the steps that are planned."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

SECONDS = 60.0
"""About how long the first compilation takes on a machine with a GPU; later cells of the shape find it in
torch's cache on the disk."""
GAIN = 0.2
"""Share of the time of a training on a GPU that compilation saves, at least."""
FLOPS_PER_SECOND = 1e14
"""Of a training on a GPU that is not compiled, at most: on a slower one compilation pays earlier."""


def compile_if_it_pays(
    module: nn.Module, wanted: str | bool, device: torch.device, flops: float
) -> tuple[Callable[[Tensor], Tensor], bool]:
    """Return what computes logits in training, and whether it is compiled.

    Args:
        module: the model, which itself stays as it is.
        wanted: `run.compile`.
        device: where it computes.
        flops: of all steps that are left.
    """
    # On two cores of a CPU it took 20 to 26 s and saved 0 to 7 %: never within a training of minutes.
    pays = device.type == "cuda" and flops / FLOPS_PER_SECOND * GAIN > SECONDS
    if not (pays if wanted == "auto" else wanted):
        return module, False
    if device.type == "cpu" and torch.get_num_threads() > 1:
        # Compiled sums of several threads vary from run to run unless this is asked for.
        torch.use_deterministic_algorithms(True)
    return torch.compile(module), True
