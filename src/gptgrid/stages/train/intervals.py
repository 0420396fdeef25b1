"""Steps that a recipe counts on and a training does not have: what to tell people before it runs."""

from __future__ import annotations

from math import ceil
from types import SimpleNamespace

from gptgrid.stages.train.schedule import warmup_steps

FEW = 10
"""Fewer steps than these teach a model hardly more than which tokens are frequent."""


def remarks_on_steps(training: SimpleNamespace, steps: int) -> list[str]:
    """Return what of a recipe does not come to pass in a training that is so short: usually nothing.

    Args:
        training: the recipe.
        steps: of the whole training.
    """
    found, made = [], "1 step" if steps == 1 else f"{steps} steps"
    if steps < FEW:
        found.append(
            f"the training makes {made}: hardly any; a larger budget, or a smaller batch_tokens, makes more"
        )
    warmup = warmup_steps(training, steps)
    if warmup >= steps:
        reached = training.lr * steps / (warmup + 1)
        found.append(
            f"`warmup: {training.warmup:g}` is not over after {made}: the learning rate gets to "
            f"{reached:.3g}, not to {training.lr:g}"
        )
    for key, what in (("eval_every", "validated"), ("sample_every", "sampled")):
        every = getattr(training, key)
        if every is not None and every > steps:
            found.append(f"`{key}: {every}` is more than {made}: it is {what} at the end alone")
    validations = ceil(steps / (training.eval_every or ceil(steps / 10)))
    if training.patience is not None and training.patience + 1 >= validations:
        found.append(
            f"`patience: {training.patience}` never stops a training with {validations} validations; "
            "lower it, or eval_every"
        )
    return found
