"""How long a training runs and how large the learning rate is at each step: closed formulas, no state."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, cos, pi
from types import SimpleNamespace


def total_steps(training: SimpleNamespace, rows: int, per_epoch: int) -> int:
    """Return the optimizer steps of a budget in steps, tokens or epochs, rounded up to a whole step.

    Args:
        training: the recipe; one of steps, tokens and epochs is given.
        rows: windows in a batch.
        per_epoch: windows in the training split.
    """
    if training.steps:
        return training.steps
    if training.tokens:
        return ceil(Fraction(training.tokens, training.batch_tokens))
    # 0.1 epochs of 30 windows are 3, not 3.0000000000000004: a fraction of the number as written.
    return ceil(Fraction(repr(training.epochs)) * per_epoch / rows)


def learning_rate(training: SimpleNamespace, step: int, steps: int) -> float:
    """Return the learning rate of the update that follows `step` finished ones.

    The warmup ends, and the fall begins, exactly at lr; the fall would reach min_lr at `steps`, so that the
    last update still learns where min_lr is 0. The same as nanoGPT's `get_lr`, and from the end of the
    warmup on the same as the schedules of transformers.

    Args:
        training: the recipe: lr, min_lr, schedule, warmup, cooldown.
        step: updates made before, from 0.
        steps: updates in all.
    """
    warmup = warmup_steps(training, steps)
    if step < warmup:
        return training.lr * (step + 1) / (warmup + 1)
    floor = training.min_lr / training.lr
    return training.lr * (floor + (1 - floor) * remaining(training, step, warmup, steps))


def warmup_steps(training: SimpleNamespace, steps: int) -> int:
    """Return the steps of warmup; a number below 1 is a share of all steps."""
    return round(training.warmup * steps) if training.warmup < 1 else round(training.warmup)


def remaining(training: SimpleNamespace, step: int, warmup: int, steps: int) -> float:
    """Return how much of the way from lr down to min_lr is still to go: 1 at the top, 0 at the end."""
    if training.schedule == "constant":
        return 1.0
    if training.schedule == "wsd":
        falling = max(1, round(training.cooldown * steps))
        return min(1.0, (steps - step) / falling)
    progress = (step - warmup) / (steps - warmup)
    if training.schedule == "linear":
        return 1.0 - progress
    return 0.5 * (1.0 + cos(pi * progress))
