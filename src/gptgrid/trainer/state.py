"""Where a training stands in memory: at its beginning, as a state to write, and back from a written one."""

from __future__ import annotations

import torch

from gptgrid.trainer.checkpoint import FORMAT, Progress, State
from gptgrid.trainer.learner import Learner


def beginning(device: torch.device) -> Progress:
    """Return the progress of a training that has not begun."""
    return {
        "step": 0,
        "begin": 0,
        "diverged": None,
        "tokens": 0,
        "loss_sum": torch.zeros((), device=device),
        "grad_norm": torch.zeros((), device=device),
        "best": None,
        "metrics": [],
        "samples": [],
    }


def gather(learner: Learner, progress: Progress) -> State:
    """Return everything that the next step depends on. Tensors are the live ones, not copies."""
    return {**progress, **learner.state(), "format": FORMAT, "recipe": learner.recipe.text()}


def restore(state: State, learner: Learner, progress: Progress) -> None:
    """Let a learner and its progress go to a state, in place."""
    learner.restore(state)
    progress.update({key: state[key] for key in Progress.__annotations__})
    for key in ("loss_sum", "grad_norm"):
        progress[key] = state[key].to(learner.device)
