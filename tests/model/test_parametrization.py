"""mup: nothing changes at the base model, and nothing grows with the width."""

import math

import pytest
import torch
from models import make, named, tokens
from torch import nn
from torch.nn import functional

from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.model.parametrization import lr_scale

VOCAB = 23
WIDTHS = (32, 64, 128, 256)
MODELS = [
    {},
    {"preset": "llama", "n_kv_head": 2},
    {"preset": "llama", "norm_position": "post", "tie_embeddings": True, "qk_norm": True},
    {"zero_init": True, "zero_head": True, "tie_embeddings": False, "norm_gain": False},
]
models = pytest.mark.parametrize("switches", MODELS, ids=named)


@models
def test_at_the_base_width_it_is_the_standard_model(switches: dict) -> None:
    standard = make(**switches)
    mup = make(**switches, parametrization="mup", base_width=32)
    assert torch.equal(mup(tokens()), standard(tokens()))
    for (name, parameter), other in zip(mup.named_parameters(), standard.parameters(), strict=True):
        assert torch.equal(parameter, other)
        assert lr_scale(mup.config, name, parameter) == 1


def train(config: Model, steps: int = 4) -> dict[str, float]:
    """Return how far a few steps of Adam move outputs, on average over their entries."""
    module = build(config, VOCAB)
    initialize(module, 0)
    optimizer = torch.optim.Adam(
        [{"params": [p], "lr": 0.02 * lr_scale(config, name, p)} for name, p in module.named_parameters()],
        betas=(0.9, 0.95),
    )
    text = torch.randint(VOCAB, (4, 17), generator=torch.Generator().manual_seed(0))
    outputs: dict[str, torch.Tensor] = {}
    block = module.blocks[-1]
    parts = {"attention": block.attention, "feed_forward": block.feed_forward, "logits": module}
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: outputs.update({name: output.detach()}))
    first = None
    for _ in range(steps + 1):
        logits = module(text[:, :-1])
        first = first or dict(outputs)
        optimizer.zero_grad()
        functional.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten()).backward()
        optimizer.step()
    return {name: (outputs[name] - first[name]).abs().mean().item() for name in outputs}


def moves(heads: str, **switches: object) -> dict[str, list[float]]:
    """Return how far each output moves at each width: heads get wider, or there are more of them."""
    rows = []
    for width in WIDTHS:
        n_head = 4 if heads == "wider" else width // 8
        sizes = {"n_layer": 2, "n_head": n_head, "d_model": width, "context": 16, "init_std": 0.1}
        rows.append(train(Model(**{**sizes, "base_width": 32, "base_n_head": 4, **switches})))
    return {name: [row[name] for row in rows] for name in rows[0]}


@models
@pytest.mark.parametrize("heads", ["wider", "more"])
def test_a_step_moves_wide_models_as_far_as_narrow_ones(switches: dict, heads: str) -> None:
    for name, distances in moves(heads, parametrization="mup", **switches).items():
        assert max(distances) < 1.8 * min(distances), (name, distances)


def test_a_step_moves_standard_models_the_further_the_wider() -> None:
    for name, distances in moves("wider").items():
        assert distances == sorted(distances)
        assert distances[-1] > (4 if name == "logits" else 20) * distances[0], (name, distances)


def attention_scale(**switches: object) -> float:
    return make(n_layer=1, **switches).blocks[0].attention.scale


def test_scores_are_scaled_by_the_width_of_heads_where_that_grows() -> None:
    mup = {"parametrization": "mup", "base_width": 32}
    base = attention_scale(d_model=32, n_head=4)
    assert base == 1 / math.sqrt(8)
    assert attention_scale(d_model=128, n_head=4, **mup) == pytest.approx(base / 4)
    assert attention_scale(d_model=128, n_head=16, base_n_head=4, **mup) == base
    assert attention_scale(d_model=128, n_head=8, base_n_head=4, **mup) == pytest.approx(base / 2)


def test_weights_logits_and_learning_rates_by_the_table_of_the_paper() -> None:
    # Four times as wide as the base.
    config = Model(preset="llama", n_layer=8, d_model=256, context=8, parametrization="mup", base_width=64)
    module = build(config, VOCAB)
    initialize(module, 0)
    block = module.blocks[3]
    hidden = [block.attention.qkv, block.attention.output, block.feed_forward.up, block.feed_forward.down]
    for layer, std in zip(hidden, (0.01, 0.01 / 4, 0.01, 0.01 / 4), strict=True):
        assert layer.weight.std().item() == pytest.approx(std, rel=0.05)
    for layer in (module.embedding.tokens, module.head):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
    quarter = {
        id(layer.weight)
        for block in module.blocks
        for layer in block.modules()
        if isinstance(layer, nn.Linear)
    }
    for name, parameter in module.named_parameters():
        assert lr_scale(config, name, parameter) == (0.25 if id(parameter) in quarter else 1), name
    inner: list[torch.Tensor] = []
    module.norm.register_forward_hook(lambda _, __, output: inner.append(output))
    logits = module(tokens(time=8))
    torch.testing.assert_close(logits.flatten(0, 1), inner[0] @ module.head.weight.T / 4)
