"""How many steps a budget makes, and what to tell people where that is not quite what they asked for."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from types import SimpleNamespace

from gptgrid.trainer.windows import Windows

TOLERANCE = 1.1
"""A training may be this many times longer than asked before it is worth a word."""
LEAST_READ = 0.9
"""An epoch may read this share of the text before it is worth a word."""


def total_steps(training: SimpleNamespace, windows: Windows) -> int:
    """Return the optimizer steps of a budget in steps, tokens or epochs, rounded up to a whole step.

    Args:
        training: the recipe; one of steps, tokens and epochs is given.
        windows: its batches.
    """
    if training.steps:
        return training.steps
    if training.tokens:
        return windows.steps_to_score(training.tokens)
    # 0.1 epochs of 30 windows are 3, not 3.0000000000000004: a fraction of the number as written.
    return ceil(Fraction(repr(training.epochs)) * windows.per_epoch / windows.rows)


def remarks(training: SimpleNamespace, windows: Windows, steps: int) -> list[str]:
    """Return what a person should know about a training before it runs: usually nothing.

    Args:
        training: the recipe.
        windows: its batches.
        steps: of the whole training.
    """
    found = []
    if training.tokens:
        found += longer_than_asked("tokens", training.tokens, windows.targets(steps), steps)
    if training.epochs:
        found += longer_than_asked("epochs", training.epochs, windows.epoch(steps), steps)
    rows, text = windows.per_epoch, len(windows.shards)
    if windows.rows > rows:
        name = "documents" if windows.documents else "windows"
        found.append(
            f"a batch has {windows.rows:,} {name}, but the training split only {rows:,}: the text repeats "
            f"within a batch; batch_tokens of at most {rows * windows.context} would not repeat it"
        )
    if windows.documents and windows.targets_per_epoch < LEAST_READ * text:
        found.append(
            f"`windows: document` cuts documents to the context of {windows.context}: an epoch trains on "
            f"{windows.targets_per_epoch:,} of the {text:,} tokens of the training split"
        )
    return found


def longer_than_asked(unit: str, asked: float, got: float, steps: int) -> list[str]:
    """Return a remark where whole steps make a training clearly longer than its budget; else nothing."""
    if got <= TOLERANCE * asked:
        return []
    count = "1 whole step" if steps == 1 else f"{steps} whole steps"
    before, now = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in (asked, got))
    return [f"`{unit}: {before}` becomes {now} in {count}; a smaller batch_tokens comes closer"]
