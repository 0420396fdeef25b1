"""A fine-tuning whose passes come from CUDA graphs gives the bytes of one whose kernels are launched singly."""

import pytest
import torch
from trainings import Killed, kill_at

from gptgrid.stages.finetune.finetuning import Finetuning
from gptgrid.trainer import compilation
from gptgrid.trainer.compilation import can_be_recorded
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.trainer import Trainer

LORA = {"rank": 2, "alpha": 4}
RECIPES = {
    "all weights": {},
    "bf16 weights": {"precision": "bf16_weights"},
    "adapters": {"lora": LORA},
    "adapters, bf16 weights": {"lora": LORA, "precision": "bf16_weights"},
}
BASES = [{"preset": "gpt2"}, {"preset": "llama", "n_kv_head": 1}, {"preset": "modern"}]


def from_own_memory(module, arguments):
    """Let a module compute as a recorded one does: from tensors that stay, given by place."""
    forward = module.forward

    def replay(*given):
        for own, new in zip(arguments, given, strict=True):
            own.copy_(new)
        return forward(*arguments)

    module.forward = replay
    return module


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_recorded_gets_all_of_each_batch(recipe, finetune, make_job, same_files, monkeypatch):
    straight = finetune("straight", settings=RECIPES[recipe])
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", from_own_memory)
    monkeypatch.setattr(compilation, "can_be_recorded", lambda *_: True)
    trainer = Trainer(Finetuning(make_job("recorded", RECIPES[recipe])))
    assert trainer.recorded
    trainer.run()
    deliver(trainer)
    same_files(straight, trainer.job.folder)


@pytest.mark.parametrize(
    ("settings", "recorded"),
    [({}, True), ({"lora": LORA}, True), ({"lora": {**LORA, "dropout": 0.1}}, False)],
)
def test_a_graph_holds_what_draws_nothing(settings, recorded, make_job):
    trainer = Trainer(Finetuning(make_job(settings=settings)))
    trainer.learner.device = torch.device("cuda")
    assert can_be_recorded(trainer.learner, trainer.job.run, processes=1) == recorded


GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@GPU
@pytest.mark.parametrize("base", BASES, ids=str)
@pytest.mark.parametrize("recipe", RECIPES)
def test_graphs_give_the_bits_of_single_launches(recipe, base, make_base, make_job, same_files):
    folders = []
    for name, graphs in (("single", False), ("graphs", True)):
        run = {"device": "cuda", "cuda_graphs": graphs}
        trainer = Trainer(Finetuning(make_job(name, RECIPES[recipe], run, make_base(**base))))
        assert trainer.recorded == graphs
        trainer.run()
        deliver(trainer)
        folders.append(trainer.job.folder)
    same_files(*folders)


@GPU
def test_graphs_are_recorded_anew_after_a_kill(make_job, same_files, monkeypatch):
    run = {"device": "cuda", "cuda_graphs": True, "checkpoint_every": 1e-9}
    folders = []
    for name, event in (("straight", None), ("broken", 8)):
        job = make_job(name, {"lora": LORA}, run)
        if event:
            with monkeypatch.context() as patch:
                kill_at(patch, event)
                with pytest.raises(Killed):
                    Trainer(Finetuning(job)).run()
        trainer = Trainer(Finetuning(job))
        assert trainer.recorded and bool(trainer.progress["step"]) == bool(event)
        trainer.run()
        deliver(trainer)
        folders.append(job.folder)
    same_files(*folders)
