"""A GPU computes what a CPU does, to the precision of sums in fp32. Needs a GPU."""

import copy

import numpy as np
import pytest
import torch
from models import EOT, VOCAB, documents, make, named

from gptgrid.model import flex
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Rows
from gptgrid.model.score import score
from gptgrid.tokens.shards import Shards

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

GREEDY = Decoding(temperature=0)
SWITCHES = [
    {"preset": "gpt2"},
    {"preset": "llama", "n_kv_head": 2, "window": 3, "window_pattern": "SL"},
    {"preset": "modern"},
    {"preset": "encoder"},
    {"preset": "llama", "document_mask": True},
    {"preset": "gpt2", "position": "alibi", "document_mask": True},
    {"preset": "llama", "n_kv_head": 2, "window": 4, "document_mask": True},
]


@pytest.mark.parametrize("switches", SWITCHES, ids=named)
@pytest.mark.parametrize("scores", [0, flex.LEAST_SCORES], ids=["blocks", "biases"])
def test_logits_and_gradients_are_those_of_a_cpu(scores: int, switches: dict, monkeypatch) -> None:
    monkeypatch.setattr(flex, "LEAST_SCORES", scores)
    module = make(**{"d_model": 64, "n_head": 4, **switches}).train()
    on_gpu, given = copy.deepcopy(module).cuda(), documents()
    expected = module(given)
    expected.logsumexp(-1).sum().backward()
    logits = on_gpu(given.cuda())
    logits.logsumexp(-1).sum().backward()
    torch.testing.assert_close(logits.cpu(), expected, rtol=1e-4, atol=1e-4)
    for one, other in zip(on_gpu.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(one.grad.cpu(), other.grad, rtol=1e-3, atol=1e-3)


def test_documents_are_masked_by_the_kernel_of_gpus() -> None:
    module = make(preset="llama", d_model=64, n_head=4, document_mask=True)
    assert flex.supports(module.config, True, torch.device("cuda"), 64, 1024)


@pytest.mark.parametrize("switches", SWITCHES, ids=named)
def test_scores_and_greedy_texts_are_those_of_a_cpu(switches: dict) -> None:
    module = make(**switches).eval()
    ids = np.random.default_rng(0).integers(VOCAB, size=200).astype(np.uint16)
    nats, texts = [], []
    for device in ("cpu", "cuda"):
        there = copy.deepcopy(module).to(device)
        nats.append(score(there, Shards([ids]), 12, 6).nats)
        rows = Rows(there, [[EOT, 1, 2], [EOT, 3]], GREEDY, set(), [1, 1])
        texts.append([[token.id for _, token in rows.advance()] for _ in range(40)])
    np.testing.assert_allclose(nats[1], nats[0], atol=2e-4)
    assert abs(nats[1].mean() - nats[0].mean()) < 1e-5
    assert texts[0] == texts[1]
