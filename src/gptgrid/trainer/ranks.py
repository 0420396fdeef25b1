"""Several processes that train one model together: each takes its share of every batch.

The gradients are summed in one piece, in place of DistributedDataParallel's buckets: the order of the sum is
then the same in the first step after a resume as in any other, and shares may be unequal or empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from gptgrid.artifact.errors import UserError
from gptgrid.model.device import find_device

Item = TypeVar("Item")


class Ranks:
    """The processes that torchrun started, and this one's place among them; one alone without torchrun."""

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.size = int(os.environ.get("WORLD_SIZE", "1"))

    def check_gpus(self, device: str) -> None:
        """Refuse more processes than GPUs: each claims one, and the last would wait for ever.

        Args:
            device: `run.device`.

        Raises:
            UserError: there are too few.
        """
        if self.size > 1 and find_device(device).type == "cuda" and torch.cuda.device_count() < self.size:
            raise UserError(
                f"run.processes is {self.size}, but torch finds {torch.cuda.device_count()} GPUs here; each "
                "process takes one"
            )

    def meet(self, device: torch.device) -> None:
        """Connect the processes: nccl between GPUs, gloo elsewhere."""
        if self.size > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")

    def share(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield this process's share: every size-th item."""
        return islice(items, self.rank, None, self.size)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes, the same bits in each."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def sum_gradients(self, weights: Iterable[nn.Parameter], *others: Tensor) -> list[Tensor]:
        """Sum the gradients over all processes in place; return the sums of other scalars."""
        if self.size == 1:
            return list(others)
        gradients = [weight.grad for weight in weights]
        flat = self.sum(torch.cat([value.float().flatten() for value in (*gradients, *others)]))
        parts = flat.split([value.numel() for value in (*gradients, *others)])
        for gradient, part in zip(gradients, parts, strict=False):
            gradient.copy_(part.view_as(gradient))
        return [part.view_as(other) for part, other in zip(parts[len(gradients) :], others, strict=True)]
