"""Conversations packed into rows: whole, as many as fit, no token seeing another conversation.

Best-fit decreasing (Ding et al. 2024, Fewer Truncations Improve Language Modeling): the longest first, each
into the row that it fills best. The rows are the same in each epoch, in a new order: conversations of a row
do not see each other, so that other rows would change nothing but which of them share a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gptgrid.seeds import derive
from gptgrid.tokens.conversation import Encoded
from gptgrid.trainer.batches import UNSCORED, Batches, rows_of_batch


@dataclass(frozen=True)
class Rows:
    """Packed conversations: (rows, context) int32 each."""

    inputs: np.ndarray
    """Ids; what is left of a row is filled with the end-of-text token."""
    targets: np.ndarray
    """The id that follows where it is of an answer, else UNSCORED."""
    documents: np.ndarray
    """Numbers of the conversations of a row, from 0; what is left of it has the next one."""

    def __len__(self) -> int:
        return len(self.inputs)


class Packed(Batches):
    """The batches of a fine-tuning."""

    unit, separate = "rows of dialogues", True

    def __init__(self, rows: Rows, batch_tokens: int, seed: int) -> None:
        """Take rows of the training split.

        Args:
            rows: packed conversations.
            batch_tokens: of a step, padding among them.
            seed: of the order.

        Raises:
            UserError: the batch is no whole number of rows.
        """
        self.packed, self.key = rows, derive(seed, "order")
        self.per_epoch, self.context = rows.inputs.shape
        self.rows = rows_of_batch(batch_tokens, self.context)
        self.row_scored = (rows.targets != UNSCORED).sum(axis=1)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return inputs, targets and documents of a step: each (rows, context) int64."""
        return self.rows_at(self.numbers(self.rows_of(step)))

    def rows_at(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return inputs, targets and documents of rows by number."""
        parts = (self.packed.inputs, self.packed.targets, self.packed.documents)
        return tuple(part[numbers].astype(np.int64) for part in parts)


def pack(conversations: Sequence[Encoded], context: int, eot: int) -> Rows:
    """Return conversations as rows.

    Args:
        conversations: each of two tokens at least, and at most one more than the context: the last token of
            each is a target alone.
        context: tokens in a row.
        eot: id of the end-of-text token.
    """
    layout = best_fit([len(encoded.ids) - 1 for encoded in conversations], context)
    shape = len(layout), context
    inputs, targets = np.full(shape, eot, dtype=np.int32), np.full(shape, UNSCORED, dtype=np.int32)
    documents = np.zeros(shape, dtype=np.int32)
    for row, chosen in enumerate(layout):
        start = 0
        for document, number in enumerate(chosen):
            ids, answers = conversations[number].ids, conversations[number].answers
            end = start + len(ids) - 1
            inputs[row, start:end] = ids[:-1]
            targets[row, start:end] = np.where(answers[1:], ids[1:].astype(np.int32), UNSCORED)
            documents[row, start:end] = document
            start = end
        documents[row, start:] = len(chosen)
    return Rows(inputs, targets, documents)


def best_fit(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Return which items go into which bin, best-fit decreasing; of equal ones the first goes first.

    Args:
        lengths: of the items, 1 … size each.
        size: of a bin.
    """
    bins: list[list[int]] = []
    by_space: list[list[int]] = [[] for _ in range(size + 1)]
    """Room that is left → numbers of bins."""
    spaces = 0
    """Bit n is set where there are bins with room for n."""
    for item in sorted(range(len(lengths)), key=lambda item: -lengths[item]):
        length = lengths[item]
        fitting = spaces >> length
        if fitting:
            space = length + (fitting & -fitting).bit_length() - 1  # the lowest bit that is set
            chosen = by_space[space].pop()
            spaces ^= (not by_space[space]) << space
        else:
            space, chosen = size, len(bins)
            bins.append([])
        bins[chosen].append(item)
        left = space - length
        by_space[left].append(chosen)
        spaces |= 1 << left if left else 0
    return bins
