"""What `auto` means for batch size and weight decay: published power laws in tokens and parameters."""

from __future__ import annotations

from types import SimpleNamespace


def batch_tokens(tokens: int, context: int) -> int:
    """Return the tokens of a batch for a budget: 0.58 · tokens^0.571, as whole windows.

    The optimum hardly depends on the model's size (Li et al. 2025, Predictable Scale: Step Law).
    """
    return max(1, round(0.58 * tokens**0.571 / context)) * context


def weight_decay(training: SimpleNamespace, tokens: int, parameters: int) -> float:
    """Return AdamW's weight decay for a budget.

    AdamW's weights are a moving average of the updates over 1 / (lr · decay) steps. As a share of the
    training that span is best at 1.084 · (tokens / parameters)^-0.527 (Bergsma et al. 2025, Power Lines).

    Args:
        training: the recipe, its batch_tokens a number.
        tokens: targets of the whole training.
        parameters: of the model.
    """
    share = 1.084 * (tokens / parameters) ** -0.527
    return training.batch_tokens / (training.lr * tokens * share)
