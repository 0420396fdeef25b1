"""What a training needs in memory: the estimate against what torch keeps, and what is said when there is none."""

import pytest
import torch
from torch.nn import functional

from gptgrid.artifact.errors import UserError
from gptgrid.config.models import Model
from gptgrid.model import memory
from gptgrid.model.build import build
from gptgrid.model.memory import activation_bytes
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.trainer import trainer as trainer_module
from gptgrid.trainer.memory import is_out_of_memory, recompute_activations
from gptgrid.trainer.trainer import Trainer

VOCAB, ROWS = 300, 4
SIZES = {"n_layer": 3, "n_head": 4, "d_model": 128, "context": 64}


def kept_bytes(module) -> int:
    """Return the bytes that torch keeps from the forward pass for the backward pass, weights aside."""
    weights = {p.untyped_storage().data_ptr() for p in module.parameters()}
    kept = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no address comes twice
        return tensor

    tokens = torch.randint(VOCAB, (ROWS, SIZES["context"]))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        functional.cross_entropy(module(tokens).flatten(0, 1), tokens.flatten())
    return sum(size for address, (size, _) in kept.items() if address not in weights)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("preset", ["gpt2", "llama", "encoder"])
def test_the_estimate_is_near_what_torch_keeps(preset, dropout):
    config, tokens = Model(preset=preset, dropout=dropout, **SIZES), ROWS * SIZES["context"]
    # The backward pass begins with the logits and their gradient beside it.
    expected = kept_bytes(build(config, VOCAB)) + 2 * 4 * VOCAB * tokens
    assert activation_bytes(config, VOCAB) * tokens == pytest.approx(expected, rel=0.3)


@pytest.mark.parametrize("preset", ["gpt2", "encoder"])
def test_computing_again_keeps_less(preset):
    module = build(Model(preset=preset, **SIZES), VOCAB)
    all_of_it = kept_bytes(module)
    recompute_activations(module)
    assert kept_bytes(module) < 0.5 * all_of_it


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_names_the_estimate_and_what_to_lower(error, make_job, monkeypatch):
    trainer = Trainer(Pretraining(make_job(training={"micro_batch": 2})))

    def fail(step: int) -> None:
        raise error

    monkeypatch.setattr(trainer.learner, "update", fail)
    said = r"moments are about 0\.00 GB, activations of 2 windows of 16 .* training\.micro_batch .* d_model"
    with pytest.raises(UserError, match=said):
        trainer.run()


def test_a_training_that_does_not_fit_is_refused_before_it_takes_memory(make_job, monkeypatch):
    monkeypatch.setattr(memory, "memory_left", lambda device: 20 * 10**9)
    monkeypatch.setattr(trainer_module, "Learner", lambda *_: pytest.fail("built"))
    # 2 layers of two matrices of 32 · 30,000,000 and a bias: 3.9e9 parameters of 16 bytes.
    said = (
        r"out of memory: about 70\.\d\d GB are needed \(weights, gradients and moments 62\.40 GB, "
        r"activations of 1 windows of 16 tokens 7\.\d\d GB\), but this machine has 20\.00 GB left; lower the model's d_model, d_ff or n_layer, or the tokenizer's vocab_size$"
    )
    with pytest.raises(UserError, match=said):
        Trainer(Pretraining(make_job(model={"d_ff": 30_000_000}, run={"device": "cpu"})))


def test_no_memory_holds_the_largest_models(make_job):
    with pytest.raises(UserError, match=r"out of memory: about 1\d{5}\.\d\d GB are needed"):
        Trainer(Pretraining(make_job(model={"d_model": 2**19})))


def test_what_saves_memory_counts(make_job, monkeypatch):
    model, run = {"n_layer": 6, "context": 64}, {"activation_checkpointing": True}
    training = {"micro_batch": 400, "batch_tokens": 64 * 400}
    monkeypatch.setattr(memory, "memory_left", lambda device: 200 * 10**6)
    with pytest.raises(UserError, match=r"set run\.activation_checkpointing"):
        Trainer(Pretraining(make_job(model=model, training=training)))
    for name, saving in {
        "fewer": {"training": {**training, "micro_batch": 40}},
        "again": {"training": training, "run": run},
    }.items():
        Trainer(Pretraining(make_job(name, model=model, **saving)))


def test_what_torch_says_without_memory_is_understood():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 50, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)


def test_other_errors_stay_what_they_are(make_job, monkeypatch):
    trainer = Trainer(Pretraining(make_job()))
    monkeypatch.setattr(trainer.learner, "update", lambda step: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        trainer.run()
