"""A pass of a training needs nothing of the host but its launches, as a CUDA graph holds no more.

Tensors without values stand for those of a GPU.
"""

from typing import Any
from unittest.mock import patch

import pytest
import torch
from models import EOT, documents, make, named
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gptgrid.model.learned_rows import learn_rows
from gptgrid.model.lora import add_adapters
from gptgrid.model.mask import number_documents

GPTS = [
    {"preset": "gpt2"},
    {"preset": "llama", "n_kv_head": 2, "window": 3, "window_pattern": "SL"},
    {"preset": "modern", "residual_mix": True},
    {"preset": "gpt2", "position": "alibi"},
    {"preset": "gpt2", "position": "sinusoidal", "tie_embeddings": False},
]
MODELS = [*GPTS, {"preset": "encoder"}]
INDEXING = (torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_)
MASKED = [{**switches, "document_mask": True} for switches in GPTS]


class NothingOfTheHost(TorchDispatchMode):
    """Refuses what asks a tensor for its values, and what brings values to it; numbers are launched along."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
        assert torch.Tag.data_dependent_output not in func.tags, f"{func} returns a value"
        if func.overloadpacket in INDEXING:
            masked = any(tensor.dtype == torch.bool for tensor in tree_leaves(args[1]) if tensor is not None)
            assert not masked, f"{func} asks where a mask is true"
        else:
            assert torch.Tag.dynamic_output_shape not in func.tags, f"{func} returns a size by values"
        assert not any(tensor.is_cpu and tensor.ndim for tensor in tensors), f"{func} reads the CPU"
        return func(*args, **(kwargs or {}))


def read(module: nn.Module, separate: bool) -> None:
    """Make a pass there and back without values."""
    given = documents()
    numbers = number_documents(given, EOT).to("meta") if separate else None
    module = module.train().to("meta")
    tokens = given.to("meta")
    # Tensors made of lists come from the host, too. And of autocast there is none without values.
    no_lists, no_autocast = patch("torch.tensor", None), patch("torch.is_autocast_enabled", lambda *_: False)
    with NothingOfTheHost(), no_lists, no_autocast:
        module(tokens, documents=numbers).logsumexp(-1).sum().backward()
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in learning)


@pytest.mark.parametrize("separate", [False, True], ids=["a text", "documents"])
@pytest.mark.parametrize("switches", MODELS, ids=named)
def test_a_pass(switches: dict, separate: bool) -> None:
    read(make(**switches), separate)


@pytest.mark.parametrize("switches", MASKED, ids=named)
def test_a_pass_with_a_document_mask(switches: dict) -> None:
    read(make(**switches), separate=False)


@pytest.mark.parametrize("switches", GPTS, ids=named)
def test_a_pass_with_adapters_and_rows_that_learn(switches: dict) -> None:
    module = make(**switches)
    add_adapters(module, rank=2, alpha=4.0, dropout=0.0, targets=["attention", "feed_forward"], seed=1)
    learn_rows(module, [3, 4])
    read(module, separate=True)
