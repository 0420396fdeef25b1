"""How the kernels of a training step are launched: one by one, compiled into fewer, or as a CUDA graph.

Compiling pays only in trainings that are long enough. A CUDA graph launches all kernels of a pass at once: a
model so small that a GPU waits for Python between them gains by it, and the bits stay the same.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from gptgrid.model import flex
from gptgrid.model.cost import flops_per_token
from gptgrid.model.precision import autocast
from gptgrid.trainer.learner import Learner

SECONDS = 20.0
"""About how long the first compilation takes beside a GPU (GPT-2's shape: 17 s); later cells of the shape
find it in torch's cache on the disk."""
GAIN = 0.05
"""Share of the time of a training on a GPU that compilation saves (H200, GPT-2's shape: 0.05 to 0.07)."""
FLOPS_PER_SECOND = 4.5e14
"""Of a training on an H200 that is not compiled; on a slower GPU compilation pays earlier."""

SMALL_STEP = 1e12
"""FLOPs of a step below which a GPU waits for Python between kernels: an H200 makes them in 2 ms, in which
Python launches a few hundred. With 4 layers of 128 and 2,048 tokens, 1.4e10 FLOPs, steps take 0.25 to 0.37 of
the time."""


def speed_up(learner: Learner, run: SimpleNamespace, processes: int, steps: int) -> tuple[bool, bool]:
    """Let a learner compute its logits as fast as `run` allows.

    Args:
        learner: whose `logits` are replaced.
        run: compile, cuda_graphs, activation_checkpointing.
        processes: that share a batch.
        steps: that are left.

    Returns:
        Whether they are compiled, and whether they come from CUDA graphs.
    """
    recipe, device = learner.recipe, learner.device
    step = recipe.training.batch_tokens * flops_per_token(recipe.model, recipe.vocab_size)
    learner.logits, compiled = compile_if_it_pays(learner.module, run.compile, device, steps * step)
    wanted = step < SMALL_STEP if run.cuda_graphs == "auto" else run.cuda_graphs
    recorded = wanted and not compiled and can_be_recorded(learner, run, processes)
    if recorded:
        rows, separate = recipe.micro_rows, recipe.batches.separate
        learner.logits = record(learner.module, rows, separate, learner.precision, device)
    return compiled, recorded


def compile_if_it_pays(
    module: nn.Module, setting: str | bool, device: torch.device, flops: float
) -> tuple[Callable[[Tensor], Tensor], bool]:
    """Return what computes logits in training, and whether it is compiled.

    Args:
        module: the model, which itself stays as it is.
        setting: `run.compile`.
        device: where it computes.
        flops: of all steps that are left.
    """
    # On two cores of a CPU it took 20 to 26 s and saved 0 to 7 %: never within a training of minutes.
    pays = device.type == "cuda" and flops / FLOPS_PER_SECOND * GAIN > SECONDS
    if not (pays if setting == "auto" else setting):
        return module, False
    if device.type == "cpu" and torch.get_num_threads() > 1:
        # Compiled sums of several threads vary from run to run unless this is asked for.
        torch.use_deterministic_algorithms(True)
    return torch.compile(module), True


def can_be_recorded(learner: Learner, run: SimpleNamespace, processes: int) -> bool:
    """Say whether each step is one pass that a CUDA graph can hold."""
    recipe = learner.recipe
    model, rows = recipe.model, recipe.batches.rows
    one_pass = recipe.micro_rows >= rows and processes == 1
    # Where scores are few, a mask of documents is a bias, which the graph makes anew in each pass. Blocks are
    # chosen and compiled by Python. The same rule holds where nothing is recorded, so that the bits do.
    documents = model.document_mask or recipe.batches.separate
    blocks = documents and flex.supports(model, True, learner.device, rows, model.context)
    # Each pass has its own draws; activations that are not kept are for large models.
    varies = recipe.draws or blocks
    return learner.device.type == "cuda" and one_pass and not (varies or run.activation_checkpointing)


class Recorded(nn.Module):
    """A module of which CUDA graphs are made, so that the one inside stays as it is."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        """Return what the module gives."""
        return self.module(tokens, documents=documents)


def record(
    module: nn.Module, rows: int, separate: bool, precision: str, device: torch.device
) -> Callable[..., Tensor]:
    """Return what computes the logits of training batches, and their gradients, from CUDA graphs.

    Gradients are written to the same memory each time: apply them before the next call.

    Args:
        module: the model.
        rows: windows in every batch.
        separate: batches have the numbers of documents, too.
        precision: what it computes in.
        device: a GPU.
    """
    shape = rows, module.config.context
    inputs = tuple(torch.zeros(shape, dtype=torch.long, device=device) for _ in range(1 + separate))
    # Weights that are cast once for several passes would be cast when recording and never again.
    with autocast(precision, device, cast_once=False):
        recorded = torch.cuda.make_graphed_callables(Recorded(module), inputs)
    # What is recorded takes its arguments by place alone.
    return lambda tokens, **documents: recorded(tokens, *documents.values())
