"""Adapters compute what the formula says, change nothing at first, and can be put into the weights."""

import copy
import math

import peft
import pytest
import torch
from cells import tiny
from models import VOCAB, make, named, tokens
from torch import nn
from torch.nn import functional

from gptgrid.artifact.errors import UserError
from gptgrid.model.initialize import initialize
from gptgrid.model.lora import AdaptedLinear, adapters, add_adapters, merged
from gptgrid.model.packed import packed

PRESETS = [{"preset": "gpt2"}, {"preset": "llama", "n_kv_head": 2}, {"preset": "modern"}]


def adapted(targets: tuple[str, ...] = ("attention", "feed_forward"), **switches: object) -> nn.Module:
    module = make(**switches)
    add_adapters(module, rank=2, alpha=6.0, dropout=0.0, targets=targets, seed=1)
    return module


def learn(module: nn.Module) -> None:
    """Give B values, as training would."""
    for name, matrix in adapters(module).items():
        if name.endswith("lora_B"):
            matrix.normal_(0, 0.1, generator=torch.Generator().manual_seed(len(name)))


def test_a_layer_computes_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(5, 7)
    layer = AdaptedLinear(linear, rank=3, alpha=6.0, dropout=0.0)
    layer.lora_A.data = a = torch.randn(3, 5, generator=generator)
    layer.lora_B.data = b = torch.randn(7, 3, generator=generator)
    x = torch.randn(4, 5, generator=generator)
    expected = x @ linear.weight.T + linear.bias + 6.0 / 3 * (x @ a.T @ b.T)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(functional.linear(x, layer.merged(), linear.bias), expected)


def test_a_layer_computes_what_peft_does() -> None:
    x, linear = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)), nn.Linear(5, 7)
    layer = AdaptedLinear(linear, rank=3, alpha=6.0, dropout=0.0)
    layer.lora_B.data.normal_(generator=torch.Generator().manual_seed(1))
    config = peft.LoraConfig(r=3, lora_alpha=6, target_modules=["0"])
    there = peft.get_peft_model(nn.Sequential(copy.deepcopy(linear)), config)
    first = there.base_model.model[0]
    first.lora_A["default"].weight.data = layer.lora_A.data
    first.lora_B["default"].weight.data = layer.lora_B.data
    torch.testing.assert_close(layer(x), there(x))
    torch.testing.assert_close(layer.merged(), there.merge_and_unload()[0].weight)


@pytest.mark.parametrize("switches", PRESETS, ids=named)
def test_new_adapters_change_nothing(switches: dict) -> None:
    assert torch.equal(adapted(**switches)(tokens()), make(**switches)(tokens()))


@pytest.mark.parametrize("switches", PRESETS, ids=named)
def test_merged_weights_compute_the_same_without_adapters(switches: dict) -> None:
    module = adapted(**switches)
    learn(module)
    with torch.no_grad():
        expected, before = module(tokens()), make(**switches)(tokens())
        plain = make(**switches)
        plain.load_state_dict(plain.state_dict() | merged(module))
        torch.testing.assert_close(plain(tokens()), expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(before, expected, atol=1e-3)
    assert merged(module).keys() == dict(make(**switches).named_parameters()).keys()


def test_adapters_alone_learn() -> None:
    module = adapted(preset="llama")
    module(tokens()).sum().backward()
    learning = {name for name, parameter in module.named_parameters() if parameter.grad is not None}
    assert learning == adapters(module).keys()
    assert len(learning) == 2 * 4 * module.config.n_layer


@pytest.mark.parametrize(("target", "layers"), [("attention", 2), ("feed_forward", 2)])
def test_targets_choose_the_matrices(target: str, layers: int) -> None:
    module = adapted(targets=(target,), preset="gpt2")
    names = adapters(module)
    assert len(names) == 2 * layers * module.config.n_layer
    assert all(f".{target}." in name for name in names)


def test_a_is_drawn_from_the_seed_and_the_name_as_wide_as_a_linear_layer_draws() -> None:
    first, again, other = (tiny(VOCAB, d_model=64, n_head=2) for _ in range(3))
    for module, seed in ((first, 1), (again, 1), (other, 2)):
        initialize(module, 0)
        add_adapters(module, rank=8, alpha=8.0, dropout=0.0, targets=["attention"], seed=seed)
    drawn = adapters(first)
    assert all(torch.equal(matrix, adapters(again)[name]) for name, matrix in drawn.items())
    a = drawn["blocks.0.attention.qkv.lora_A"]
    assert not torch.equal(a, adapters(other)["blocks.0.attention.qkv.lora_A"])
    assert a.abs().max() <= 1 / math.sqrt(64)
    assert a.std().item() == pytest.approx(1 / math.sqrt(3 * 64), rel=0.1)  # of the uniform law
    assert not any(matrix.any() for name, matrix in drawn.items() if name.endswith("lora_B"))


def test_dropout_is_of_the_adapter_alone() -> None:
    layer = AdaptedLinear(nn.Linear(6, 4), rank=2, alpha=2.0, dropout=0.99999)
    layer.lora_A.data.fill_(1.0)
    layer.lora_B.data.fill_(1.0)
    x = torch.ones(3, 6)
    torch.testing.assert_close(layer(x), functional.linear(x, layer.weight, layer.bias))
    assert not torch.allclose(layer.eval()(x), functional.linear(x, layer.weight, layer.bias))


def test_under_autocast_a_layer_computes_in_few_digits() -> None:
    torch.manual_seed(0)
    x, layer = torch.randn(4, 5), AdaptedLinear(nn.Linear(5, 7), rank=3, alpha=6.0, dropout=0.0)
    layer.lora_B.data.normal_()
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), layer(x), rtol=0.05, atol=0.05)
    found.float().sum().backward()
    assert layer.lora_B.grad.dtype == torch.float32


def test_an_encoder_has_no_place_for_adapters() -> None:
    with pytest.raises(UserError, match=r"lora: a model of preset encoder .*without `lora`"):
        adapted(preset="encoder")


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_a_packed_model_with_adapters_computes_the_same(activation: str) -> None:
    """GELU is put inside of a product only where the product is one."""
    module = adapted(activation=activation)
    learn(module)
    module.requires_grad_(False)
    torch.testing.assert_close(packed(module)(tokens()), module(tokens()), rtol=1e-5, atol=1e-5)
