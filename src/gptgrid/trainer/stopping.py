"""When a training ends before its last step: it diverged, or its validation loss falls no more."""

from __future__ import annotations

import math

from gptgrid.trainer.checkpoint import Progress

LOST_ROWS, LOST_FACTOR = 10, 1.5
"""A training is lost when so many rows in a row (a twentieth of it) have a loss above so many times that of
uniform guessing, or of its first row. Single spikes pass."""


def is_lost(train_losses: list[float], vocab_size: int) -> bool:
    """Say whether a training was for long worse than guessing.

    Args:
        train_losses: of all rows of metrics so far, in nats per token.
        vocab_size: how many tokens there are to guess from.
    """
    limit = LOST_FACTOR * max(math.log(vocab_size), train_losses[0])
    return len(train_losses) >= LOST_ROWS and min(train_losses[-LOST_ROWS:]) > limit


def describe_divergence(
    kind: str, loss: float, step: int, learning_rate: float, precision: str, grad_clip: float
) -> str:
    """Return how a training diverged, and what to do about it.

    Args:
        kind: of the loss: training or validation.
        loss: in nats per token.
        step: updates made.
        learning_rate: of the last one.
        precision: what `auto` became, or the one that was asked for.
        grad_clip: of the recipe; 0 is off.
    """
    clip = (
        f"lower training.grad_clip (now {grad_clip:g})" if grad_clip else "set training.grad_clip (now off)"
    )
    advice = f"lower training.lr, lengthen training.warmup or {clip}"
    if precision == "fp16":
        advice += "; or take precision bf16 or fp32 in place of fp16"
    return f"the {kind} loss was {loss:.4g} at step {step} (learning rate {learning_rate:.3g}); {advice}"


def why_ended(progress: Progress, patience: int | None, steps: int) -> str | None:
    """Return why no further step is made, before the last one or at it; None while there is no reason.

    Args:
        progress: where the training stands.
        patience: validations in a row without a lower loss after which it stops.
        steps: of the whole training.
    """
    best = progress["best"]
    if progress["diverged"] or best is None or patience is None:
        return progress["diverged"]
    # A continuation has its own patience: validations of its parent do not count.
    since = max(best["step"], progress["begin"])
    later = [row for row in progress["metrics"] if row["val_loss"] is not None and row["step"] > since]
    if len(later) < patience:
        return None
    return (
        f"no lower validation loss than that of step {best['step']} in {patience} validations; stopped "
        f"at step {progress['step']} of {steps}"
    )
