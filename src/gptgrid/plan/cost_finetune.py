"""What a fine-tuning reads, about: its dialogues are encoded by the stage itself, so that no plan knows them.

It is taken that a byte of dialogues takes as many tokens as one of the text that the base learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from types import SimpleNamespace
from typing import Any

MARKS = 6
"""Tokens around a message, about: a mark, the role, a line feed, another mark, and a line feed."""


@dataclass(frozen=True)
class Read:
    """What a split of dialogues takes, in tokens, about."""

    tokens: float
    answers: float
    """Those of them that the loss counts."""
    dialogues: int


def read_of(counts: dict[str, int], tokens_per_byte: float) -> Read:
    """Return what a split takes.

    Args:
        counts: `turns`, `answers`, `bytes`, `answer_bytes` and `dialogues` of the split.
        tokens_per_byte: of the tokenizer.
    """
    return Read(
        counts["bytes"] * tokens_per_byte + MARKS * counts["turns"],
        # A mark ends an answer.
        counts["answer_bytes"] * tokens_per_byte + counts["answers"],
        counts["dialogues"],
    )


def steps_of(recipe: SimpleNamespace, training: Read | None) -> int | None:
    """Return how many steps a recipe makes; None where the dialogues decide that and are not there yet."""
    if recipe.steps:
        return recipe.steps
    if training is None:
        return None
    if recipe.epochs:
        return ceil(recipe.epochs * training.tokens / recipe.batch_tokens)
    return ceil(recipe.tokens * training.tokens / (training.answers * recipe.batch_tokens))


def tokens_per_byte(facts: dict[str, Any]) -> float:
    """Return the tokens of a byte of a text, by the facts of its shards."""
    counts = facts["splits"]["train"]
    return counts["tokens"] / counts["bytes"]
