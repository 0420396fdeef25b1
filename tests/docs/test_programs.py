"""The one-screen programs of docs/learn compute what the pipeline computes."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.stages.corpus.builtin.toy import SENTENCES
from gptgrid.stages.tokenizer.make import learn_merges
from gptgrid.tokens.codec import BpeCodec
from gptgrid.tokens.patterns import GPT2
from gptgrid.trainer.optimizer import build_optimizers

PROGRAMS = sorted((Path(__file__).parents[2] / "docs" / "learn" / "programs").glob("*.py"))
SCREEN = 80
"""Lines of a program at most."""


def program(name: str) -> ModuleType:
    path = next(path for path in PROGRAMS if path.stem == name)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def test_there_are_programs() -> None:
    assert [path.stem for path in PROGRAMS] == ["adamw", "attention", "bpe"]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_each_fits_a_screen_and_runs(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= SCREEN
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) >= 3


def test_bpe_learns_and_encodes_as_the_tokenizer_of_the_pipeline() -> None:
    bpe = program("bpe")
    text = "\n".join(SENTENCES)
    merges = bpe.train(text, 600)
    ranks = learn_merges([text], 600, GPT2)
    codec = BpeCodec("bpe", GPT2, ranks, [])
    content = {number: bytes([number]) for number in range(256)}
    for (left, right), new in merges.items():
        content[new] = content[left] + content[right]
    assert [content[number] for number in range(len(content))] == ranks
    for sentence in (text, "an unseen sentence, 也有中文 🦊  and   blanks\n\n"):
        ids = bpe.encode(sentence, merges)
        assert ids == codec.encode(sentence)
        assert bpe.decode(ids, merges) == sentence


def test_attention_is_that_of_the_model() -> None:
    config = Model(n_layer=1, n_head=4, d_model=32, context=16, position="none", bias=False)
    module = build(config, 50, 0)
    initialize(module, 1)
    layer = module.eval().blocks[0].attention
    x = torch.randn(9, 32, generator=torch.Generator().manual_seed(0))
    inputs = module.positions.inputs(x[None], 0, None)
    with torch.inference_mode():
        expected = layer(x, inputs, None, 0)
    found, weights = program("attention").attention(
        x.numpy(), layer.qkv.weight.detach().numpy(), layer.output.weight.detach().numpy(), 4
    )
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    assert (weights[:, ~np.tri(9, dtype=bool)] == 0).all()


def test_adamw_is_that_of_the_trainer() -> None:
    draw = np.random.default_rng(0)
    start, gradients = draw.normal(size=(2, 3)), draw.normal(size=(20, 2, 3))
    weight = torch.nn.Parameter(torch.tensor(start))
    recipe = SimpleNamespace(optimizer="adamw", lr=0.01, betas=[0.9, 0.95], eps=1e-8, weight_decay=0.1)
    model = SimpleNamespace(parametrization="standard")
    [optimizer] = build_optimizers({"weight": weight}, model, recipe)
    own, numbers = program("adamw").AdamW(lr=0.01), start.flatten().tolist()
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        own.step(numbers, gradient.flatten().tolist())
    np.testing.assert_allclose(numbers, weight.detach().numpy().flatten(), rtol=1e-9)
