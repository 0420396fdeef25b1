"""What a fine-tuning is validated on: the answers of the validation split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gptgrid.stages.finetune.packing import Rows
from gptgrid.tokens.base import Codec
from gptgrid.trainer.batches import UNSCORED
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.ranks import Ranks
from gptgrid.trainer.validation import Validation


class AnswerValidation(Validation):
    """Answers of packed conversations."""

    def __init__(self, rows: Rows, codec: Codec, ranks: Ranks) -> None:
        """Choose what is scored.

        Args:
            rows: packed conversations.
            codec: their tokenizer.
            ranks: the processes.
        """
        self.rows, self.ranks = rows, ranks
        ids, counts = np.unique(rows.targets[rows.targets != UNSCORED], return_counts=True)
        sizes = (len(codec.token_bytes(index)) for index in ids.tolist())
        self.targets = int(counts.sum())
        self.bytes = sum(size * count for size, count in zip(sizes, counts.tolist(), strict=True))

    @cached_property
    def digest(self) -> str:
        """The sha256 of what is read and scored."""
        return hashlib.sha256(self.rows.inputs.tobytes() + self.rows.targets.tobytes()).hexdigest()

    def batches(self, rows: int) -> list[slice]:
        """Return the rows of each forward pass."""
        return [slice(start, start + rows) for start in range(0, len(self.rows), rows)]

    def nats(self, learner: Learner, batches: Iterable[slice]) -> Iterator[Tensor]:
        """Yield the summed nats of the answers of some rows."""
        return (answer_nats(learner, self.rows, batch) for batch in batches)


@torch.inference_mode()
def answer_nats(learner: Learner, rows: Rows, batch: slice) -> Tensor:
    """Return the summed nats of the answers of some rows: a scalar, fp32, on the device of the learner."""
    parts = (rows.inputs, rows.targets, rows.documents)
    inputs, targets, documents = (
        torch.from_numpy(part[batch].astype(np.int64)).to(learner.device) for part in parts
    )
    logits = learner.module(inputs, documents=documents)  # (rows, context, vocab_size)
    scored = targets != UNSCORED
    return functional.cross_entropy(logits[scored].float(), targets[scored], reduction="sum")
