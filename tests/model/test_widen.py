"""New tokens leave the old ones as they were."""

import pytest
import torch
from models import VOCAB, make, named, tokens

from gptgrid.model.build import build
from gptgrid.model.widen import widened

SWITCHES = [
    {"preset": "gpt2"},
    {"preset": "llama"},
    {"preset": "encoder"},
    {"preset": "encoder", "tie_embeddings": False},
]


@pytest.mark.parametrize("switches", SWITCHES, ids=named)
def test_logits_of_the_old_tokens_stay(switches: dict) -> None:
    module = make(**switches)
    wide = build(module.config, VOCAB + 3, VOCAB - 1).eval()
    wide.load_state_dict(widened(module.state_dict(), range(VOCAB, VOCAB + 3), seed=1))
    with torch.no_grad():
        before, after = module(tokens()), wide(tokens())
    torch.testing.assert_close(after[..., :VOCAB], before, rtol=1e-6, atol=1e-6)
    # A row that is the mean of others has their mean logit.
    mean = before.mean(dim=-1, keepdim=True)
    assert (after[..., VOCAB:] - mean).abs().max() < 0.1 * (before - mean).abs().max()


def test_new_rows_differ_and_repeat() -> None:
    weights = {"embedding.tokens.weight": torch.randn(50, 8, generator=torch.Generator().manual_seed(0))}
    first, again, other = (
        widened(weights, range(50, 53), seed)["embedding.tokens.weight"] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert torch.equal(first[:50], weights["embedding.tokens.weight"])
    assert not torch.equal(first[50], first[51])
    assert not torch.equal(first[50:], other[50:])


@pytest.mark.parametrize("known", [VOCAB - 1, VOCAB - 3])
def test_rows_that_no_token_had_begin_like_new_ones(known: int) -> None:
    module = make(preset="llama")
    with torch.no_grad():
        for row in (module.embedding.tokens.weight, module.head.weight):
            row[known:] = 9.0
    wide = build(module.config, max(VOCAB, known + 2), VOCAB - 1).eval()
    wide.load_state_dict(widened(module.state_dict(), range(known, known + 2), seed=1))
    ids = tokens() % known
    with torch.no_grad():
        before, after = module(ids), wide(ids)
    torch.testing.assert_close(after[..., :known], before[..., :known], rtol=1e-6, atol=1e-6)
    mean = before[..., :known].mean(dim=-1, keepdim=True)
    assert (after[..., known : known + 2] - mean).abs().max() < 0.1 * (before[..., :known] - mean).abs().max()
    rest = slice(known + 2, VOCAB)
    assert torch.equal(wide.head.weight[rest], module.head.weight[rest])


def test_without_new_tokens_nothing_changes() -> None:
    weights = make(preset="llama").state_dict()
    after = widened(weights, range(VOCAB - 2, VOCAB - 2), seed=1)
    assert all(torch.equal(after[name], tensor) for name, tensor in weights.items())


def test_other_weights_are_the_same() -> None:
    weights = make(preset="llama").state_dict()
    after = widened(weights, range(VOCAB, VOCAB + 1), seed=1)
    assert all(
        after[name] is tensor
        for name, tensor in weights.items()
        if "tokens" not in name and "head" not in name
    )
