"""What is noted of a forward pass is what an ordinary one computes, and the parts add up to the bit."""

import pytest
import torch
from models import ENCODERS, GPTS, documents, make, named
from torch import nn
from torch.nn import functional

from gptgrid.inference.walk.record import record

IDS = documents(1)[0].tolist()
MODELS = GPTS + ENCODERS
PARTS = {
    "attention_norm": "norm1",
    "attention": "self_attn",
    "feed_forward_norm": "norm2",
    "feed_forward.up": "linear1",
    "feed_forward.down": "linear2",
}
"""Names of the parts of a block, of a GPT and of an encoder."""


def ordinary(module: nn.Module) -> tuple[torch.Tensor, list[dict[str, torch.Tensor]]]:
    """Return the logits of a forward pass as it always is, and what the parts of each block gave."""
    seen, hooks = [{} for _ in module.blocks], []
    for block, found in zip(module.blocks, seen, strict=True):
        parts = dict(block.named_modules())
        for names in PARTS.items():
            part = next(parts[name] for name in names if name in parts)
            hooks.append(
                part.register_forward_hook(
                    lambda _, __, out, name=names[0], found=found: found.update({name: out})
                )
            )
        hooks.append(block.register_forward_hook(lambda _, __, out, found=found: found.update(output=out)))
    logits = module(torch.tensor([IDS]))[0]
    for hook in hooks:
        hook.remove()
    return logits, seen


@pytest.mark.parametrize("switches", MODELS, ids=named)
@torch.no_grad()
def test_it_is_the_ordinary_pass(switches):
    module = make(**switches)
    logits, blocks = ordinary(module)
    found = record(module, IDS)
    torch.testing.assert_close(found.logits, logits, atol=1e-5, rtol=1e-5)
    assert len(found.blocks) == len(blocks)
    for block, expected in zip(found.blocks, blocks, strict=True):
        for seen, name in (
            (block.attention_norm[1], "attention_norm"),
            (block.attention, "attention"),
            (block.feed_forward_norm[1], "feed_forward_norm"),
            (block.up, "feed_forward.up"),
            (block.feed_forward, "feed_forward.down"),
            (block.output, "output"),
        ):
            given = expected[name][0] if isinstance(expected[name], tuple) else expected[name]
            torch.testing.assert_close(seen, given.reshape(seen.shape), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("switches", MODELS, ids=named)
@torch.no_grad()
def test_the_residual_stream_is_the_sum_of_its_parts(switches):
    module = make(**switches)
    found = record(module, IDS)
    stream = found.embedded
    for layer, block in enumerate(found.blocks):
        if module.config.residual_mix:
            stream = module.keep[layer] * stream + module.recall[layer] * found.embedded
        assert torch.equal(block.input, stream)
        assert torch.equal(block.between, block.input + block.attention)
        if block.pre_norm:
            assert torch.equal(block.output, block.between + block.feed_forward)
        else:
            after = block.attention_norm[1]
            assert torch.equal(block.feed_forward_norm[0], after + block.feed_forward)
            assert torch.equal(block.output, block.feed_forward_norm[1])
        assert torch.equal(
            block.attended.weights, torch.softmax(block.attended.scores + block.attended.bias, -1)
        )
        torch.testing.assert_close(
            block.attended.weights.sum(-1), torch.ones(block.attended.weights.shape[:-1])
        )
        stream = block.output
    expected = functional.cross_entropy(found.logits[:-1], torch.tensor(IDS[1:]))
    assert torch.equal(found.loss, expected)
    torch.testing.assert_close(found.losses.mean(), expected)


@torch.no_grad()
def test_nothing_is_left_in_the_model():
    module = make()
    before = module(torch.tensor([IDS]))
    record(module, IDS)
    assert torch.equal(module(torch.tensor([IDS])), before)
    assert not any(part._forward_hooks for part in module.modules())
