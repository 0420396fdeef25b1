"""Low-rank adapters (Hu et al. 2022, LoRA): a trained model learns by a few numbers beside its weights.

A matrix W computes x Wᵀ + (alpha / rank) · dropout(x) Aᵀ Bᵀ. A is drawn as in the authors' code and in peft,
B begins at zero, so that a model with new adapters computes what it did without. Only A and B learn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptgrid.artifact.errors import UserError
from gptgrid.model.linear import linear
from gptgrid.seeds import derive

TARGETS = {
    "attention": ("attention.qkv", "attention.output"),
    "feed_forward": ("feed_forward.up", "feed_forward.down"),
}
"""Word of the configuration → ends of the names of the matrices that get an adapter."""


class AdaptedLinear(nn.Linear):
    """A linear layer with an adapter. Weight and bias keep their names, and learn no more."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
        """Take over a layer.

        Args:
            linear: whose weight and bias it shares.
            rank: of the product of A (rank, in) and B (out, rank).
            alpha: what the adapter adds is scaled by alpha / rank.
            dropout: share of the adapter's input that is set to 0 in training.
        """
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        for frozen in linear.parameters():
            frozen.requires_grad_(False)
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.lora_A = nn.Parameter(linear.weight.new_empty(rank, self.in_features))
        self.lora_B = nn.Parameter(linear.weight.new_zeros(self.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (tokens, in) to (tokens, out)."""
        low = functional.linear(self.dropout(x), self.lora_A)  # (tokens, rank)
        # A CPU is much faster at the gradient of this copy than at that of B itself. Adding in place spares
        # all outputs one more reading and writing; autocast does not see it, hence `to`.
        up = self.lora_B.t().to(low.dtype).contiguous()  # (rank, out)
        return linear(x, self.weight, self.bias).addmm_(low, up, alpha=self.scale)

    @torch.no_grad()
    def merged(self) -> Tensor:
        """Return the one matrix (out, in) that computes the same without dropout, in fp32."""
        return self.weight.float() + self.scale * (self.lora_B.float() @ self.lora_A.float())


def add_adapters(
    module: nn.Module, rank: int, alpha: float, dropout: float, targets: Iterable[str], seed: int
) -> None:
    """Give a model adapters, in place; nothing else of it learns any more.

    Args:
        module: from `build`, with its weights.
        rank: of the adapters.
        alpha: of the adapters; what they add is scaled by alpha / rank.
        dropout: of their input.
        targets: keys of `TARGETS`.
        seed: of A.

    Raises:
        UserError: PyTorch's encoder multiplies by its weights without calling its layers.
    """
    if module.config.preset == "encoder":
        raise UserError(
            "lora: a model of preset encoder has no layers that an adapter can stand in for; fine-tune it "
            "without `lora`, or take preset gpt2, llama or modern"
        )
    ends = tuple(end for target in targets for end in TARGETS[target])
    module.requires_grad_(False)
    for name, layer in list(module.named_modules()):
        if name.endswith(ends):
            adapted = AdaptedLinear(layer, rank, alpha, dropout)
            generator = torch.Generator().manual_seed(derive(seed, f"initialization/{name}.lora_A"))
            # The uniform law of nn.Linear's own weights, as the authors draw A.
            bound = 1 / math.sqrt(layer.in_features)
            first = torch.empty(rank, layer.in_features).uniform_(-bound, bound, generator=generator)
            adapted.lora_A.data.copy_(first)
            module.set_submodule(name, adapted)


def adapted_layers(module: nn.Module) -> Iterator[tuple[str, AdaptedLinear]]:
    """Yield the name and layer of each adapter."""
    return ((name, each) for name, each in module.named_modules() if isinstance(each, AdaptedLinear))


def adapters(module: nn.Module) -> dict[str, Tensor]:
    """Return the matrices A and B of all adapters by name: `blocks.0.attention.qkv.lora_A`."""
    return {
        f"{name}.{kind}": getattr(layer, kind).detach()
        for name, layer in adapted_layers(module)
        for kind in ("lora_A", "lora_B")
    }


def merged(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a model with what its adapters add, under the names of one without adapters."""
    own = adapters(module)
    weights = {name: parameter.detach() for name, parameter in module.named_parameters() if name not in own}
    return weights | {f"{name}.weight": layer.merged() for name, layer in adapted_layers(module)}
