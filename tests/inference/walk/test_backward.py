"""Gradients are those of the loss, and the step lowers it."""

import math
import re
from copy import deepcopy

import pytest
import torch
from cells import tiny, uniform
from small_codecs import CODECS
from torch.nn import functional

from gptgrid.config.training import Training
from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.walk.steps import walk_cell
from gptgrid.inference.walk.words import read_words

TEXT = "The fox"
RECIPES = {
    "adamw": Training(steps=1, lr=1e-3).complete(),
    "muon": Training(steps=1, optimizer="muon", lr=1e-3).complete(),
    "no clip": Training(steps=1, grad_clip=0).complete(),
    "none": {},
}


def cell(recipe: dict, **switches: object) -> TrainedCell:
    codec = CODECS["bpe"]
    module = tiny(codec.vocab_size, context=16, **switches).requires_grad_(False)
    about = {"model": {"context": 16}, "vocab_size": module.vocab_size, "training": recipe}
    return TrainedCell(module, codec, about)


def told(trained: TrainedCell) -> dict:
    return {step.key: step for step in walk_cell(trained, TEXT, read_words("en"), backward=True).steps}


@pytest.mark.parametrize("preset", ["gpt2", "llama", "modern", "encoder"])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_step_lowers_the_loss(recipe, preset):
    what = told(cell(recipe, preset=preset))["update"].what
    before, after = (
        float(word)
        for word in what.replace(" to ", " from ").split(" from ")[1:3]
        for word in [word.split()[0]]
    )
    assert after < before
    assert ("recipe" in what and "fresh moments" in what) == bool(recipe)


def test_gradients_are_those_of_the_loss():
    trained = cell({})
    step = told(trained)["gradients"]
    module = trained.module.requires_grad_(True)
    tokens = torch.tensor([trained.codec.begin(TEXT)])
    functional.cross_entropy(module(tokens)[0, :-1], tokens[0, 1:]).backward()
    parameters = dict(module.named_parameters())
    shown = dict(step.tables[0].rows)
    assert len(shown) == 10
    for name, (shape, length, norm, largest) in shown.items():
        weight = parameters[name]
        assert shape == " × ".join(map(str, weight.shape))
        assert length == pytest.approx(weight.norm().item(), rel=1e-4)
        assert norm == pytest.approx(weight.grad.norm().item(), rel=1e-4)
        assert largest == pytest.approx(weight.grad.abs().max().item(), rel=1e-4)
    norms = [values[2] for values in shown.values()]
    assert norms == sorted(norms, reverse=True)
    assert norms[0] == pytest.approx(
        max(weight.grad.norm().item() for weight in parameters.values()), rel=1e-4
    )
    total = math.sqrt(sum(weight.grad.square().sum().item() for weight in parameters.values()))
    assert f"{total:.4g}" in step.what


def test_a_rate_that_overshoots_is_lowered_and_said():
    recipe = {**RECIPES["adamw"], "lr": 30.0}
    trained = cell(recipe)
    what = told(trained)["update"].what
    rate = float(re.search(r"30 overshot, so it was lowered to (\S+)\.$", what)[1])
    module = deepcopy(trained.module).requires_grad_(True)
    tokens = torch.tensor([trained.codec.begin(TEXT)])

    def loss() -> torch.Tensor:
        return functional.cross_entropy(module(tokens)[0, :-1], tokens[0, 1:])

    loss().backward()
    # The first step of AdamW: against the sign of the gradient; matrices decay.
    decays = [{"params": [weight], "weight_decay": 0.1 * (weight.ndim > 1)} for weight in module.parameters()]
    torch.optim.AdamW(decays, lr=rate).step()
    before, after = map(float, re.search(r"from (\S+) to (\S+) nats", what).groups())
    assert after < before
    # Its gradients are clipped first, which moves those of the size of AdamW's eps.
    assert after == pytest.approx(loss().item(), rel=1e-3)


def test_a_loss_that_cannot_fall_is_said():
    about = {"model": {"context": 8}, "vocab_size": 257, "training": RECIPES["adamw"]}
    trained = TrainedCell(uniform(257, likely=97).requires_grad_(False), CODECS["bytes"], about)
    steps = walk_cell(trained, "aaa", read_words("en"), backward=True).steps
    assert "No rate from 0.001 down to 1e-10 lowered the loss" in steps[-1].what


def test_the_model_stays_as_it_is():
    trained = cell(RECIPES["adamw"])
    before = {name: weight.clone() for name, weight in trained.module.state_dict().items()}
    told(trained)
    assert all(torch.equal(weight, before[name]) for name, weight in trained.module.state_dict().items())
    assert not any(weight.requires_grad or weight.grad is not None for weight in trained.module.parameters())
