"""A model whose matrices lie in memory as oneDNN reads them fastest, for a CPU that scores or generates.

Products are oneDNN's, as in `linear.py`: for a few rows MKL takes four times as long. The numbers are those
of the weights' type, summed in another order. GELU is applied inside of the product before it.
"""

from __future__ import annotations

import copy
import math
from functools import cache
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from gptgrid.model.feedforward import ACTIVATIONS, FeedForward
from gptgrid.model.linear import Linear, product

ROWS = 16
"""Rows that a matrix is laid out for: of those tried, the best for 1 to 100, and as good for 4,096."""
FUSED = {ACTIVATIONS["gelu"].function: ("gelu", "none"), ACTIVATIONS["gelu_tanh"].function: ("gelu", "tanh")}
"""Nonlinearity → how oneDNN applies it to a product while that is still in its registers."""
TWINS: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()
"""Models and what was made of them."""


class ShortRMSNorm(nn.Module):
    """The RMSNorm of another in four operations, in fp32; that of torch takes ten."""

    def __init__(self, norm: nn.RMSNorm) -> None:
        super().__init__()
        width = norm.normalized_shape[-1]
        gain = torch.ones(width) if norm.weight is None else norm.weight.detach().float()
        self.gain = gain * math.sqrt(width)
        self.least = torch.tensor(math.sqrt(width * norm.eps))

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (…, width)."""
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        return (x * self.gain).div_(length.hypot_(self.least)).to(x.dtype)


class PackedLinear(nn.Module):
    """A linear layer that shares weight and bias with another, and has the weight packed beside."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), ROWS)
        self.activation, self.variant = "none", ""

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (row, in) to (row, out)."""
        return product(x, self.packed, self.bias, self.activation, self.variant)


def packed(module: nn.Module) -> nn.Module:
    """Return a model that computes the same, faster where that can be; otherwise the model itself.

    It shares the weights, so they must not change any more: a model that may learn (`requires_grad`) is left
    as it is. Under autocast it is left so, too: what is packed computes in the type of its weights. It needs
    room for the matrices a second time, and is made once.
    """
    parameters = list(module.parameters())
    frozen = not any(parameter.requires_grad for parameter in parameters)
    multiplied = all(parameter.is_cpu and parameter.dtype in types() for parameter in parameters)
    if not (frozen and multiplied) or torch.is_autocast_enabled("cpu"):
        return module
    if module not in TWINS:
        TWINS[module] = twin(module)
    return TWINS[module]


@cache
def types() -> tuple[torch.dtype, ...]:
    """Return the types of weights that oneDNN multiplies here."""
    if not torch.backends.mkldnn.is_available():
        return ()
    bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return (torch.float32, torch.bfloat16) if bf16 else (torch.float32,)


def twin(module: nn.Module) -> nn.Module:
    """Return a copy for prediction that shares all tensors: linear layers packed, nothing dropped, no hooks.

    A step that reads one token is short enough for Python to count, so both detours of `nn.Module` are left
    out: a call is `forward` and nothing else, and what belongs to a module is an attribute like any other.
    """
    if type(module) in (nn.Linear, Linear):
        other = PackedLinear(module)
    elif type(module) is nn.RMSNorm:
        other = ShortRMSNorm(module)
    elif type(module) is nn.Dropout:
        other = nn.Identity()
    else:
        other = copy.copy(module)
        other._modules = {name: child and twin(child) for name, child in module._modules.items()}
    # An adapter's layer is left as it is: of it GELU is no part.
    fused = type(module) is FeedForward and module.activation in FUSED
    if fused and isinstance(other.up, PackedLinear):
        other.up.activation, other.up.variant = FUSED[module.activation]
        other.activation = unchanged
    other.__class__ = called_directly(type(other))
    other.__dict__ |= other._parameters | other._buffers | other._modules
    return other


def unchanged(x: Tensor) -> Tensor:
    """Return what is given."""
    return x


@cache
def called_directly(kind: type[nn.Module]) -> type[nn.Module]:
    """Return the same kind of module, of which a call is `forward`."""
    return type(kind.__name__, (kind,), {"__call__": kind.forward})
