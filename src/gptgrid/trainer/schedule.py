"""How large the learning rate is at each step: closed formulas, no state."""

from __future__ import annotations

from math import cos, pi
from types import SimpleNamespace

from gptgrid.artifact.variants import Variants


def constant(training: SimpleNamespace, step: int, warmup: int, steps: int) -> float:
    """Stay."""
    return 1.0


def linear(training: SimpleNamespace, step: int, warmup: int, steps: int) -> float:
    """Fall in a line."""
    return 1.0 - progress(step, warmup, steps)


def cosine(training: SimpleNamespace, step: int, warmup: int, steps: int) -> float:
    """Fall as half a cosine (Loshchilov and Hutter 2017)."""
    return 0.5 * (1.0 + cos(pi * progress(step, warmup, steps)))


def warmup_stable_decay(training: SimpleNamespace, step: int, warmup: int, steps: int) -> float:
    """Stay, and fall in a line over the last `cooldown` of the steps (Hu et al. 2024, MiniCPM)."""
    falling = max(1, round(training.cooldown * steps))
    return min(1.0, (steps - step) / falling)


def progress(step: int, warmup: int, steps: int) -> float:
    """Return how far a step lies between the end of the warmup and the end of the training: 0 … 1."""
    return (step - warmup) / max(1, steps - warmup)


SCHEDULES = Variants(
    {"constant": constant, "linear": linear, "cosine": cosine, "wsd": warmup_stable_decay},
)
"""`schedule` of a recipe → how much of the way from lr down to min_lr is left at a step after the warmup: 1
at the top, 0 at the end."""


def learning_rate(training: SimpleNamespace, step: int, steps: int) -> float:
    """Return the learning rate of the update that follows `step` finished ones.

    The warmup ends, and the fall begins, exactly at lr; the fall would reach min_lr at `steps`, so that the
    last update still learns where min_lr is 0. The same as nanoGPT's `get_lr`, and from the end of the
    warmup on the same as the schedules of transformers.

    Args:
        training: the recipe: lr, min_lr, schedule, warmup, cooldown.
        step: updates made before, from 0.
        steps: updates in all.

    Raises:
        ValueError: the step lies outside of the training.
    """
    if not 0 <= step <= steps:
        raise ValueError(f"step {step} lies outside of a training of {steps} steps")
    warmup = warmup_steps(training, steps)
    if step < warmup:
        return training.lr * (step + 1) / (warmup + 1)
    floor = training.min_lr / training.lr
    remaining = SCHEDULES[training.schedule](training, step, warmup, steps)
    return training.lr * (floor + (1 - floor) * remaining)


def warmup_steps(training: SimpleNamespace, steps: int) -> int:
    """Return the steps of warmup; a number below 1 is a share of all steps."""
    return round(training.warmup * steps) if training.warmup < 1 else round(training.warmup)
