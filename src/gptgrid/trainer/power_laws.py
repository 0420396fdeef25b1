"""What `auto` means for batch size and weight decay: published power laws in tokens and parameters."""

from __future__ import annotations


def batch_rows(tokens: float, tokens_per_row: float) -> int:
    """Return the rows of a batch for a budget: as many as hold 0.58 · tokens^0.571 tokens.

    The optimum hardly depends on the model's size (Li et al. 2025, Predictable Scale: Step Law).

    Args:
        tokens: targets of the whole training.
        tokens_per_row: targets of a row, in the mean: padding is none.
    """
    return max(1, round(0.58 * tokens**0.571 / tokens_per_row))


def weight_decay(lr: float, steps: int, tokens: int, parameters: int) -> float:
    """Return AdamW's weight decay for a budget.

    AdamW's weights are a moving average of the updates over 1 / (lr · decay) steps. As a share of the
    training that span is best at 1.084 · (tokens / parameters)^-0.527 (Bergsma et al. 2025, Power Lines).

    Args:
        lr: highest learning rate.
        steps: updates of the whole training.
        tokens: targets of the whole training.
        parameters: of the model.
    """
    share = 1.084 * (tokens / parameters) ** -0.527
    return 1 / (lr * steps * share)
