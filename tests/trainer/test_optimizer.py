"""AdamW and Muon against their formulas written out, at the learning rates that each parameter is promised."""

from typing import get_args

import pytest
import torch
from torch.nn import functional

from gptgrid.config.models import Model
from gptgrid.config.training import Training
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.stages.train.windows import Windows
from gptgrid.tokens.shards import open_shards
from gptgrid.trainer import checkpoint
from gptgrid.trainer.optimizer import OPTIMIZERS, build_optimizers
from gptgrid.trainer.schedule import learning_rate

MUP = {"parametrization": "mup", "base_width": 8}


def inside(name, parameter):
    return name.startswith("blocks.") and parameter.ndim == 2


def adamw(p, state, lr, decay, training):
    """Loshchilov and Hutter 2019, algorithm 2."""
    (beta1, beta2), t = training.betas, state.setdefault("t", 0) + 1
    m = beta1 * state.get("m", 0) + (1 - beta1) * p.grad
    v = beta2 * state.get("v", 0) + (1 - beta2) * p.grad**2
    state.update(t=t, m=m, v=v)
    p -= lr * (m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + training.eps) + decay * p)


def muon(p, state, lr, decay, training):
    """Jordan et al. 2024, with Nesterov's momentum; the root mean square of AdamW's updates, Liu et al. 2025."""
    momentum = state["momentum"] = (
        training.momentum * state.get("momentum", 0) + (1 - training.momentum) * p.grad
    )
    x = (training.momentum * momentum + (1 - training.momentum) * p.grad).bfloat16()
    x = x.T if p.shape[0] > p.shape[1] else x
    x = x / x.norm()
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    x = x.T if p.shape[0] > p.shape[1] else x
    p -= lr * (0.2 * max(p.shape) ** 0.5 * x.float() + decay * p)


def slow_loop(job):
    """Train one batch and one tensor at a time; return the first and the last weights."""
    model, training, seed = job.config.model, job.config.training, job.config.seed
    windows = Windows(open_shards(job.inputs["shards"], "train"), training, model.context, seed, 256)
    module = build(model, 257)
    initialize(module, seed)
    weights, states = dict(module.named_parameters()), {}
    first = {name: weight.detach().clone() for name, weight in weights.items()}
    m = model.d_model / model.base_width if model.parametrization == "mup" else 1
    for step in range(training.steps):
        inputs, targets = (torch.tensor(array) for array in windows[step])
        functional.cross_entropy(module(inputs).transpose(1, 2), targets).backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), training.grad_clip)
        with torch.no_grad():
            for name, p in weights.items():
                update = muon if inside(name, p) and training.optimizer == "muon" else adamw
                scale = (m**-0.5 if update is muon else 1 / m) if inside(name, p) else 1
                decay = training.weight_decay / scale if p.ndim == 2 else 0
                lr = learning_rate(training, step, training.steps) * scale
                update(p, states.setdefault(name, {}), lr, decay, training)
                p.grad = None
    return first, weights


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("parametrization", [{}, MUP])
def test_equals_the_formulas(optimizer, parametrization, train, make_job):
    options = {
        "model": {"tie_embeddings": False, **parametrization},
        "training": {"optimizer": optimizer, "lr": 3e-3, "weight_decay": 0.5, "steps": 8},
    }
    first, expected = slow_loop(make_job(**options))
    trained = checkpoint.read(train(**options) / "state.pt")["model"]
    # Muon rounds to bf16 in each of five turns, and torch in other places than the formulas.
    tolerance = 0.1 if optimizer == "muon" else 0.001
    for name, weight in expected.items():
        assert (trained[name] - weight).norm() < tolerance * (weight - first[name]).norm(), name


def test_every_optimizer_of_the_configuration_is_there():
    assert set(OPTIMIZERS) == set(get_args(Training.model_fields["optimizer"].annotation))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize(
    "model", [{}, {"tie_embeddings": False, **MUP}, {"preset": "llama"}, {"preset": "encoder"}]
)
def test_each_parameter_is_in_one_group(optimizer, model):
    config = Model(**{"n_layer": 2, "n_head": 2, "d_model": 32, "context": 16, **model})
    weights = dict(build(config, 257).named_parameters())
    training = Training(steps=1, optimizer=optimizer, weight_decay=0.5)
    optimizers = build_optimizers(weights, config, training)
    names = {id(weight): name for name, weight in weights.items()}
    grouped = {}
    for place, made in enumerate(optimizers):
        for group in made.param_groups:
            for parameter in group["params"]:
                name = names[id(parameter)]
                assert name not in grouped
                grouped[name] = (place, group["weight_decay"] * group["lr_scale"])
    assert grouped.keys() == weights.keys()
    for name, (place, decay) in grouped.items():
        matrix = weights[name].ndim == 2
        assert decay == (0.5 if matrix else 0)
        hidden = matrix and not name.startswith(("embedding.", "head."))
        assert place == int(optimizer == "muon" and hidden)
