"""Compilation happens where it pays, and graphs are recorded where a step is one pass."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from gptgrid.model import flex
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.trainer import compilation
from gptgrid.trainer.compilation import can_be_recorded, compile_if_it_pays, record, speed_up
from gptgrid.trainer.trainer import Trainer

CUDA, CPU = (SimpleNamespace(type=kind) for kind in ("cuda", "cpu"))


@pytest.mark.parametrize(
    ("setting", "device", "flops", "compiled"),
    [
        # A twentieth of the seconds at 4.5e14 a second against 20 s: 1.8e17 are 400 s.
        ("auto", CUDA, 1.7e17, False),
        ("auto", CUDA, 1.9e17, True),
        ("auto", CPU, 1e20, False),
        (True, CUDA, 1, True),
        (True, CPU, 1, True),
        (False, CUDA, 1e20, False),
    ],
)
def test_compiles_where_it_pays(setting, device, flops, compiled, monkeypatch):
    module, made = nn.Linear(1, 1), object()
    monkeypatch.setattr(compilation.torch, "compile", lambda given: made if given is module else None)
    monkeypatch.setattr(compilation.torch, "get_num_threads", lambda: 1)
    expected = (made, True) if compiled else (module, False)
    assert compile_if_it_pays(module, setting, device, flops) == expected


class Model(nn.Module):
    """Anything with a context."""

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(context=4)
        self.layer = nn.Linear(4, 3)

    def forward(self, tokens, documents=None):
        return self.layer(tokens.float() if documents is None else (tokens + documents).float())


@pytest.mark.parametrize("separate", [False, True])
def test_a_graph_is_recorded_of_the_whole_batch_and_leaves_the_model_as_it_is(separate, monkeypatch):
    seen = {}

    def make_graphed_callables(module, arguments):
        seen.update(
            shapes=[argument.shape for argument in arguments], cached=torch.is_autocast_cache_enabled()
        )
        seen.update(autocast=torch.is_autocast_enabled("cpu"), learning=set(module.parameters()))
        forward = module.forward
        module.forward = lambda *given: ("recorded", forward(*given))  # by place, as PyTorch's own
        return module

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", make_graphed_callables)
    module = Model()
    logits = record(module, 5, separate, "bf16", torch.device("cpu"))
    shapes, parameters = [(5, 4)] * (1 + separate), set(module.parameters())
    assert seen == {"shapes": shapes, "cached": False, "autocast": True, "learning": parameters}
    given = {"documents": torch.ones(5, 4)} if separate else {}
    found, computed = logits(torch.zeros(5, 4), **given)
    assert found == "recorded"
    assert torch.equal(computed, module(torch.zeros(5, 4), **given))


@pytest.mark.parametrize(
    ("changes", "recorded"),
    [
        ({}, True),
        ({"training": {"micro_batch": 2}}, False),
        ({"model": {"dropout": 0.1}}, False),
        ({"model": {"document_mask": True}}, True),
        ({"run": {"activation_checkpointing": True}}, False),
    ],
)
def test_a_graph_holds_a_step_that_is_one_pass(make_job, changes, recorded):
    trainer = Trainer(Pretraining(make_job(**changes)))
    learner, run = trainer.learner, trainer.job.run
    learner.device = CPU
    assert not can_be_recorded(learner, run, processes=1)
    learner.device = CUDA
    assert can_be_recorded(learner, run, processes=1) == recorded
    assert not can_be_recorded(learner, run, processes=2)


def test_a_graph_holds_no_blocks_of_documents(make_job, monkeypatch):
    monkeypatch.setattr(flex, "LEAST_SCORES", 0)
    for masked in (False, True):
        trainer = Trainer(Pretraining(make_job(model={"document_mask": masked})))
        trainer.learner.device = CUDA
        assert can_be_recorded(trainer.learner, trainer.job.run, processes=1) != masked


def test_what_is_compiled_is_not_recorded(make_job, monkeypatch):
    monkeypatch.setattr(compilation, "can_be_recorded", lambda *_: True)
    monkeypatch.setattr(compilation, "record", lambda *_: "recorded")
    monkeypatch.setattr(compilation.torch, "compile", lambda module: "compiled")
    for compiled in (True, False):
        learner = Trainer(Pretraining(make_job())).learner
        run = SimpleNamespace(compile=compiled, cuda_graphs=True)
        assert speed_up(learner, run, processes=1, steps=12) == (compiled, not compiled)
        assert learner.logits == ("compiled" if compiled else "recorded")


@pytest.mark.parametrize(("limit", "recorded"), [(1e3, False), (1e9, True)])
def test_auto_records_small_steps_alone(limit, recorded, make_job, monkeypatch):
    monkeypatch.setattr(compilation, "can_be_recorded", lambda *_: True)
    monkeypatch.setattr(compilation, "record", lambda *_: "recorded")
    monkeypatch.setattr(compilation, "SMALL_STEP", limit)
    run = SimpleNamespace(compile=False, cuda_graphs="auto")
    assert speed_up(Trainer(Pretraining(make_job())).learner, run, processes=1, steps=12) == (False, recorded)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "bf16_weights", "fp16"])
def test_graphs_give_the_bits_of_single_launches(train, precision):
    weights = [
        load_file(
            train(name, training={"precision": precision}, run={"device": "cuda", "cuda_graphs": graphs})
            / "model.safetensors"
        )
        for name, graphs in (("single", False), ("graphs", True))
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
