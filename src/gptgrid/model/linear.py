"""Linear layers, with the faster of torch's two libraries of products on a CPU.

torch multiplies fp32 by MKL, which has no AVX-512 for processors that are not Intel's and takes twice as long
there. oneDNN has it, but torch offers it only to what its compiler makes: without that, it is reached by the
operator that the compiler calls. The numbers are those of fp32, summed in another order.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

LEAST_PRODUCTS = 2**23
"""Rows × in × out from which oneDNN pays: a call of it takes 10 µs beside its arithmetic."""


class Linear(nn.Linear):
    """x Wᵀ + b."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (…, in) to (…, out)."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b for x: (…, in), W: (out, in) and b: (out,)."""
    if pays(x, weight):
        return OneDNNLinear.apply(x, weight, bias)
    return functional.linear(x, weight, bias)


def pays(x: Tensor, weight: Tensor) -> bool:
    """Say whether oneDNN should multiply x: (…, in) by weight: (out, in)."""
    if torch.compiler.is_compiling() or x.dim() != 2 or x.shape[0] * weight.numel() < LEAST_PRODUCTS:
        return False
    fp32 = x.is_cpu and x.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return fp32 and mkl_is_slow()


@cache
def mkl_is_slow() -> bool:
    """Say whether this is a processor with AVX-512 on which MKL does not use it."""
    facts = Path("/proc/cpuinfo")
    libraries = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    avx512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return libraries and avx512 and facts.is_file() and "GenuineIntel" not in facts.read_text()


class OneDNNLinear(torch.autograd.Function):
    """x Wᵀ + b, of which oneDNN makes the products, also those of the backward pass."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Map x: (row, in) by weight: (out, in) and bias: (out,) to (row, out)."""
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable  # the products below are no part of a graph
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, weight and bias."""
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        grad_x = product(grad, weight.t()) if wants_x else None
        grad_weight = product(grad.t(), x.t()) if wants_weight else None
        return grad_x, grad_weight, grad.sum(0) if wants_bias else None


def product(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: str = "none", variant: str = ""
) -> Tensor:
    """Return x Wᵀ + b by oneDNN, for x: (row, in), W: (out, in) and b: (out,), in any layout.

    Args:
        x: fp32 or bf16.
        weight: as x, or packed by oneDNN.
        bias: None for none.
        activation: what oneDNN applies to the sum while it is still in its registers.
        variant: of the activation.
    """
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], variant)
