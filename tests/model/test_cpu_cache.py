"""The cache for a CPU reads as the plain one does: over blocks, for groups of queries, at unlike lengths."""

import pytest
import torch
from models import documents, make

from gptgrid.model import cpu_cache
from gptgrid.model.cache import KVCache
from gptgrid.model.cpu_cache import BLOCK, LEAST_TOKENS, CpuCache

CONTEXT = 2 * BLOCK + 9


def logits_of(monkeypatch: pytest.MonkeyPatch, plain: bool, switches: dict) -> list[torch.Tensor]:
    """Return what a model predicts while two texts of unlike lengths go over the end of a block."""
    monkeypatch.setattr(cpu_cache, "supports", lambda like, tokens: not plain)
    module = make(context=CONTEXT, **switches).requires_grad_(False)
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


def test_other_weights_and_few_tokens_have_the_plain_cache():
    assert type(make(context=LEAST_TOKENS).new_cache(1)) is CpuCache
    assert type(make(context=LEAST_TOKENS).to(torch.bfloat16).new_cache(1)) is KVCache
    assert type(make(context=LEAST_TOKENS // 2).new_cache(1)) is KVCache
    assert type(make(context=LEAST_TOKENS // 2).new_cache(2)) is CpuCache
