"""The weights of a training: those that are updated and kept, and those that multiply.

Each weight has a gradient from the start, to which backward passes add. What is updated alike lies in one
piece of memory (`joined`): one kernel then does for all of it what else takes one for each weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gptgrid.model.precision import round_weights


class Weights:
    """The fp32 weights that the optimizers update, and the module that computes with them.

    They are the module's own parameters, except in `bf16_weights`, where the module has rounded copies.
    What does not learn (without `requires_grad`) is the module's alone.
    """

    def __init__(self, module: nn.Module, precision: str) -> None:
        """Take the module's present weights; in `bf16_weights`, round the module's own."""
        self.module = module
        self.master = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.rounded = {
            name: (nn.Parameter(exact), copy)
            for name, (exact, copy) in round_weights(module, precision).items()
            if name in self.master
        }
        """Name → master and copy of each parameter that is bf16 in the module."""
        self.master |= {name: master for name, (master, _) in self.rounded.items()}
        for master in self.master.values():
            master.grad = torch.zeros_like(master)

    @torch.no_grad()
    def collect_gradients(self) -> None:
        """Add the gradients of a backward pass to the masters' own, in fp32."""
        pairs = [(master.grad, copy) for master, copy in self.rounded.values() if copy.grad is not None]
        if pairs:
            gradients, copies = zip(*pairs, strict=True)
            torch._foreach_add_(gradients, [copy.grad for copy in copies])
            for copy in copies:
                copy.grad = None

    @torch.no_grad()
    def round_into_module(self) -> None:
        """Round the updated masters into the module."""
        if self.rounded:
            masters, copies = zip(*self.rounded.values(), strict=True)
            torch._foreach_copy_(copies, masters)

    @torch.no_grad()
    def load(self, values: dict[str, Tensor]) -> None:
        """Set the weights by name."""
        for name, master in self.master.items():
            master.copy_(values[name])
        self.round_into_module()

    def copy(self) -> dict[str, Tensor]:
        """Return copies of the weights by name, on their device."""
        return {name: master.detach().clone() for name, master in self.master.items()}

    @contextmanager
    def replaced(self, values: dict[str, Tensor] | None) -> Iterator[None]:
        """Let the module compute with other weights inside; None leaves it as it is."""
        if values is None:
            yield
            return
        own = dict(self.module.named_parameters())
        kept = {name: own[name].detach().clone() for name in values}
        self.overwrite(values)
        try:
            yield
        finally:
            self.overwrite(kept)

    @torch.no_grad()
    def overwrite(self, values: dict[str, Tensor]) -> None:
        """Set the module's parameters by name, and no masters of their own."""
        own = dict(self.module.named_parameters())
        for name, value in values.items():
            own[name].copy_(value)


@torch.no_grad()
def set_weights(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Set all parameters of a module by name."""
    for name, parameter in module.named_parameters():
        parameter.copy_(weights[name])


def joined(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """Return one parameter that holds several: they and their gradients become views of it and its own.

    Args:
        parameters: of one type and device, each with a gradient.
    """
    # Each begins at a multiple of 64 bytes, where a kernel computes as it does on a tensor of its own.
    places = [-(-parameter.numel() // 16) * 16 for parameter in parameters]
    whole = nn.Parameter(parameters[0].detach().new_zeros(sum(places)))
    whole.grad = torch.zeros_like(whole)
    values, gradients = whole.detach().split(places), whole.grad.split(places)
    for parameter, value, gradient in zip(parameters, values, gradients, strict=True):
        here, there = (part[: parameter.numel()].view_as(parameter) for part in (value, gradient))
        here.copy_(parameter.detach())
        there.copy_(parameter.grad)
        parameter.data, parameter.grad = here, there
    return whole


@torch.no_grad()
def update_average(
    average: dict[str, Tensor], weights: dict[str, nn.Parameter], decay: float, step: int
) -> None:
    """Move an exponential moving average of the weights one step, in place.

    Early steps count more, as decay is at most (1 + step) / (10 + step): else the first, random weights
    would be remembered for 1 / (1 - decay) steps.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.values()), [weights[name] for name in average], share)
