"""Attention that keeps its scores computes what scaled_dot_product_attention does, gradients too."""

import pytest
import torch
from torch.nn import functional

from gptgrid.model import cpu_attention
from gptgrid.model.mask import attention_bias

BATCH, HEADS, TIME, WIDTH = 2, 4, 6, 8


def heads(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (BATCH, count, TIME, WIDTH)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def biases() -> dict[str, torch.Tensor | None]:
    documents = torch.tensor([[0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 2]])
    slopes = torch.tensor([0.5, 0.25, 0.125, 0.0625])

    def bias(**rules: object) -> torch.Tensor:
        return attention_bias(0, TIME, torch.float64, torch.device("cpu"), **rules)

    return {
        "causal": None,
        "window": bias(window=2),
        "documents": bias(documents=documents),
        "alibi": bias(slopes=slopes),
        "all": bias(window=3, documents=documents, slopes=slopes),
    }


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("rule", list(biases()))
def test_equals_torchs_attention(rule: str, kv_heads: int) -> None:
    queries, keys, values = heads(HEADS, 1), heads(kv_heads, 2), heads(kv_heads, 3)
    bias, weights = biases()[rule], heads(HEADS, 4).detach()
    mixed = cpu_attention.attend(queries, keys, values, bias, 0.3)
    expected = functional.scaled_dot_product_attention(
        queries, keys, values, bias, is_causal=bias is None, scale=0.3, enable_gqa=True
    )
    torch.testing.assert_close(mixed, expected)
    for a, b in zip(
        torch.autograd.grad((mixed * weights).sum(), (queries, keys, values)),
        torch.autograd.grad((expected * weights).sum(), (queries, keys, values)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_dropout_scales_what_it_keeps_and_gradients_know_of_it() -> None:
    queries, keys, values = heads(HEADS, 1), heads(HEADS, 2), heads(HEADS, 3)

    def attend(*given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return cpu_attention.attend(*given, None, 0.3, dropout=0.5)

    assert torch.autograd.gradcheck(attend, (queries, keys, values))
    exact = cpu_attention.attend(queries, keys, values, None, 0.3)
    torch.manual_seed(1)
    draws = torch.stack(
        [cpu_attention.attend(queries, keys, values, None, 0.3, dropout=0.5) for _ in range(4000)]
    )
    assert not torch.equal(draws[0], draws[1])
    torch.testing.assert_close(draws.mean(dim=0), exact, atol=0.1, rtol=0)


def test_serves_training_in_bf16_on_short_contexts() -> None:
    values = torch.zeros(1, 1, cpu_attention.MAX_TIME, 8, dtype=torch.bfloat16)
    assert cpu_attention.supports(values, training=True)
    assert not cpu_attention.supports(values, training=False)
    assert not cpu_attention.supports(values.float(), training=True)
    assert not cpu_attention.supports(values.repeat(1, 1, 2, 1), training=True)
