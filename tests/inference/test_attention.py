"""What is recorded of attention is what the model computes with."""

import pytest
import torch
from cells import tiny
from torch.nn import functional

from gptgrid.inference.attention import recording

IDS = torch.tensor([[40, 3, 7, 7, 12, 0, 39], [40, 1, 2, 40, 4, 5, 6]])
MODELS = [
    {"preset": "gpt2"},
    {"preset": "llama"},
    {"preset": "modern", "n_head": 4, "n_kv_head": 2},
    {"preset": "encoder"},
    {"preset": "encoder", "norm_position": "pre", "bias": False},
    {"preset": "llama", "n_head": 4, "n_kv_head": 1, "window": 3, "window_pattern": "SL"},
    {"preset": "gpt2", "position": "alibi", "logit_softcap": 5.0},
    {"preset": "gpt2", "position": "sinusoidal", "document_mask": True},
    {"preset": "llama", "head_dim": 12},
]


@pytest.mark.parametrize("switches", MODELS, ids=str)
def test_the_pass_is_as_always_and_its_attention_is_recorded(switches):
    module = tiny(41, **switches)
    expected = module(IDS)
    with recording(module) as layers:
        torch.testing.assert_close(module(IDS), expected, atol=1e-5, rtol=1e-5)
    assert len(layers) == 2
    for found in layers:
        batch, head, time, _ = found.queries.shape
        assert found.keys.shape == found.values.shape
        assert found.keys.shape[1] == switches.get("n_kv_head", head)
        assert found.scores.shape == found.weights.shape == (batch, head, time, time)
        assert found.mixed.shape == found.queries.shape
        torch.testing.assert_close(found.weights.sum(-1), torch.ones(batch, head, time))
        hidden = found.bias.expand_as(found.weights).isinf()
        assert (
            hidden.triu(1).sum() == hidden.shape[0] * head * time * (time - 1) / 2
            and not found.weights[hidden].any()
        )
        kernel = functional.scaled_dot_product_attention(
            found.queries, found.keys, found.values, found.bias, scale=found.scale, enable_gqa=True
        )
        torch.testing.assert_close(found.mixed, kernel, atol=1e-6, rtol=1e-5)


def test_recording_ends_with_its_context():
    for preset in ("llama", "encoder"):
        module = tiny(41, preset=preset)
        expected = module(IDS)
        with recording(module) as layers:
            module(IDS)
        torch.testing.assert_close(module(IDS), expected, atol=0, rtol=0)
        assert len(layers) == 2


def test_a_token_looks_at_its_window_and_its_document_alone():
    module = tiny(41, preset="llama", window=3, window_pattern="SL", document_mask=True)
    with recording(module) as layers:
        module(IDS[1:])  # a document begins at place 3
    narrow, wide = (found.weights[0].gt(0).all(0).tolist() for found in layers)
    assert narrow[2] == wide[2] == [True] * 3 + [False] * 4
    assert narrow[6] == [False] * 4 + [True] * 3
    assert wide[6] == [False] * 3 + [True] * 4


def test_gradients_pass():
    for preset in ("modern", "encoder"):
        module = tiny(41, preset=preset, dropout=0.0)
        parameters = list(module.parameters())
        expected = torch.autograd.grad(module(IDS).logsumexp(-1).sum(), parameters)
        with recording(module):
            found = torch.autograd.grad(module(IDS).logsumexp(-1).sum(), parameters)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
