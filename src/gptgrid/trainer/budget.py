"""How many steps a budget makes, and what to tell people where that is not quite what they asked for."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from types import SimpleNamespace

from gptgrid.trainer.batches import Batches

TOLERANCE = 1.1
"""A training may be this many times longer than asked before it is worth a word."""


def total_steps(training: SimpleNamespace, batches: Batches) -> int:
    """Return the optimizer steps of a budget in steps, tokens or epochs, rounded up to a whole step.

    Args:
        training: the recipe; one of steps, tokens and epochs is given.
        batches: what it reads.
    """
    if training.steps:
        return training.steps
    if training.tokens:
        return batches.steps_to_score(training.tokens)
    # 0.1 epochs of 30 windows are 3, not 3.0000000000000004: a fraction of the number as written.
    return ceil(Fraction(repr(training.epochs)) * batches.per_epoch / batches.rows)


def remarks(training: SimpleNamespace, batches: Batches, steps: int) -> list[str]:
    """Return what a person should know about a training before it runs: usually nothing.

    Args:
        training: the recipe.
        batches: what it reads.
        steps: of the whole training.
    """
    found = []
    if training.tokens:
        found += longer_than_asked("tokens", training.tokens, batches.targets(steps), steps)
    if training.epochs:
        found += longer_than_asked("epochs", training.epochs, batches.epoch(steps), steps)
    rows = batches.per_epoch
    if batches.rows > rows:
        found.append(
            f"a batch has {batches.rows:,} {batches.unit}, but the training split only {rows:,}: the text "
            f"repeats within a batch; batch_tokens of at most {rows * batches.context} would not repeat it"
        )
    return found + batches.remarks()


def longer_than_asked(unit: str, asked: float, got: float, steps: int) -> list[str]:
    """Return a remark where whole steps make a training clearly longer than its budget; else nothing."""
    if got <= TOLERANCE * asked:
        return []
    count = "1 whole step" if steps == 1 else f"{steps} whole steps"
    before, now = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in (asked, got))
    return [f"`{unit}: {before}` becomes {now} in {count}; a smaller batch_tokens comes closer"]
