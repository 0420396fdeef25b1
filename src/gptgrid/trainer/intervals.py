"""What is due every so many steps or each epoch, and what of a recipe a short training never gets to."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from types import SimpleNamespace

from gptgrid.trainer.schedule import warmup_steps

FEW = 10
"""Fewer steps than these teach a model hardly more than which tokens are frequent."""


EPOCH, DOUBLING = "epoch", "doubling"


def times_due(every: int | str, steps: int, steps_per_epoch: Fraction) -> int:
    """Return how often something is due in the first steps.

    Args:
        every: so many steps; or `epoch`: the first step at which another epoch is over; or `doubling`: steps
            1, 2, 4, 8, …
        steps: how many steps.
        steps_per_epoch: windows of an epoch over windows of a batch.
    """
    if every == EPOCH:
        # An epoch may be shorter than a step, and nothing is due twice at one.
        return min(steps, int(steps / steps_per_epoch))
    return steps.bit_length() if every == DOUBLING else steps // every


def is_due(every: int | str, step: int, steps_per_epoch: Fraction) -> bool:
    """Say whether something is due after a step; see `times_due`."""
    before, now = (times_due(every, number, steps_per_epoch) for number in (step - 1, step))
    return now > before


def remarks_on_steps(training: SimpleNamespace, steps: int, steps_per_epoch: Fraction) -> list[str]:
    """Return what of a recipe does not come to pass in a training that is so short: usually nothing.

    Args:
        training: the recipe.
        steps: of the whole training.
        steps_per_epoch: windows of an epoch over windows of a batch.
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
        if every is not None and times_due(every, steps, steps_per_epoch) == 0:
            found.append(f"`{key}: {every}` is more than {made}: it is {what} at the end alone")
    every = training.eval_every or ceil(steps / 10)
    # The last step is always validated.
    validations = times_due(every, steps - 1, steps_per_epoch) + 1
    if training.patience is not None and training.patience + 1 >= validations:
        found.append(
            f"`patience: {training.patience}` never stops a training with {validations} validations; "
            "lower it, or eval_every"
        )
    return found
