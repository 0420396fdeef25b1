"""The cache for a CPU reads as the plain one does: over blocks, for groups of queries, at unlike lengths."""

import pytest
import torch
from models import documents, make

from gptgrid.model import cpu_cache
from gptgrid.model.cache import KVCache
from gptgrid.model.cpu_cache import BLOCK, LEAST, CpuCache

CONTEXT = 2 * BLOCK + 9


def logits_of(
    monkeypatch: pytest.MonkeyPatch,
    plain: bool,
    switches: dict,
    dtype: torch.dtype = torch.float32,
    offset: float = 0,
) -> list[torch.Tensor]:
    """Return what a model predicts while two texts of unlike lengths go over the end of a block.

    Args:
        offset: what biases add to all scores.
    """
    monkeypatch.setattr(cpu_cache, "supports", lambda like, size: not plain)
    module = make(context=CONTEXT, **switches).requires_grad_(False)
    for block in module.blocks if offset else ():
        attention = block.attention
        queries, keys, _ = attention.qkv.bias.view(3, -1)
        queries[:] = keys[:] = (offset / attention.scale / attention.head_dim) ** 0.5
    module = module.to(dtype)
    cache = module.new_cache(2)
    assert type(cache) is (KVCache if plain else CpuCache)
    given = documents(2, CONTEXT)
    found = [module(given[:, : BLOCK - 5], cache), module(given[:, BLOCK - 5 : BLOCK - 2], cache)]
    other = cache.empty(1)
    module(given[1:, :BLOCK], other)
    cache.replace([1], other, [BLOCK])
    found += [module(given[:, [place]], cache) for place in range(BLOCK - 2, BLOCK + 5)]
    cache.keep([1, 1, 0])
    last = given[:, [BLOCK + 5]]
    return [*found, module(torch.cat((last, last[:1])), cache)]


@pytest.mark.parametrize(
    "switches",
    [{}, {"n_kv_head": 2}, {"n_kv_head": 1, "position": "alibi"}, {"window": 7, "document_mask": True}],
    ids=str,
)
def test_it_reads_as_the_plain_cache_does(monkeypatch, switches):
    for found, expected in zip(
        logits_of(monkeypatch, False, switches), logits_of(monkeypatch, True, switches), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("switches", "offset"),
    [({}, 0), ({"n_kv_head": 2, "qk_norm": True, "window": 7}, 0), ({}, 100)],
    ids=str,
)
def test_in_bf16_it_is_as_near_to_exact_ones_as_the_plain_cache_is(monkeypatch, switches, offset):
    """Where all scores are large, too: their common part is nothing to the softmax."""
    exact, plain, found = (
        torch.cat([part.float()[:, 0] for part in logits_of(monkeypatch, *which)[2:]])  # single tokens
        for which in (
            (True, switches, torch.float32, offset),
            (True, switches, torch.bfloat16, offset),
            (False, switches, torch.bfloat16, offset),
        )
    )
    error, of_plain = ((other - exact).square().mean().sqrt() for other in (found, plain))
    assert 0 < error < 1.3 * of_plain < 0.1 * exact.std()


def test_texts_side_by_side_are_as_alone_to_the_bit():
    """Attention of a text does not depend on its neighbours; products of several rows may be summed otherwise."""
    module = make(context=CONTEXT)
    config, attention = module.config, module.blocks[0].attention
    queries, keys, values = torch.randn(3, 5, config.n_head, CONTEXT, attention.head_dim).unbind()

    def last(rows: slice) -> torch.Tensor:
        cache = CpuCache(config, len(queries[rows]), queries)
        for start, end in ((0, CONTEXT - 1), (CONTEXT - 1, CONTEXT)):
            cache.begin(end - start)
            parts = (part[rows, :, start:end] for part in (queries, keys, values))
            found = cache.attend(attention, 0, *parts, None)
        return found

    assert torch.equal(last(slice(5))[3:4], last(slice(3, 4)))


def test_in_fp32_it_is_for_more_numbers_than_a_few():
    context = LEAST[torch.float32] // 32  # the width of all heads together
    assert type(make(context=context).new_cache(1)) is CpuCache
    assert type(make(context=context // 2).new_cache(1)) is KVCache
    assert type(make(context=context // 2).new_cache(2)) is CpuCache
    assert type(make(context=context, n_kv_head=2).new_cache(1)) is KVCache


def test_in_bf16_a_text_has_it_alone_and_beside_others():
    assert {type(make(context=2).to(torch.bfloat16).new_cache(texts)) for texts in (1, 99)} == {CpuCache}


def test_weights_of_other_types_have_the_plain_cache():
    assert type(make(context=LEAST[torch.float32]).to(torch.float16).new_cache(1)) is KVCache
