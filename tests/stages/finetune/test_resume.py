"""A fine-tuning killed anywhere and continued gives the bytes of an unbroken one; so do several processes."""

import pytest
import torch
from processes import train_together
from trainings import Killed, kill_at

from gptgrid.stages.finetune.finetuning import Finetuning
from gptgrid.stages.finetune.make import make
from gptgrid.trainer import checkpoint
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.trainer import Trainer

LORA = {"rank": 2, "alpha": 4, "dropout": 0.2}
RECIPES = {
    "plain, over an epoch": ({}, {"steps": 14, "micro_batch": 3}),
    "dropout, bf16 weights": ({"dropout": 0.1}, {"precision": "bf16_weights"}),
    "adapters": ({}, {"lora": LORA}),
    "adapters, bf16 weights, average": ({}, {"lora": LORA, "precision": "bf16_weights", "ema": 0.8}),
    "adapters, muon": ({"preset": "llama"}, {"lora": LORA, "optimizer": "muon", "micro_batch": 2}),
    "adapters, new tokens, patience": (
        {"marks": ()},
        {"lora": LORA, "new_tokens": "add", "patience": 2, "lr": 0.1, "steps": 30, "eval_every": 3},
    ),
    "tokens": ({"document_mask": True}, {"steps": None, "tokens": 900, "schedule": "wsd"}),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_killed_and_continued(recipe, finetune, make_job, make_base, same_files, monkeypatch):
    switches, settings = RECIPES[recipe]
    base = make_base(**switches)
    straight = finetune("straight", settings=settings, base=base)
    kills, done = 0, False
    while not done:
        with monkeypatch.context() as patch:
            kill_at(patch, 3 + kills)
            try:
                job = make_job("broken", settings, run={"checkpoint_every": 1e-9}, base=base)
                trainer = Trainer(Finetuning(job))
                trainer.run()
                deliver(trainer)
                done = True
            except Killed:
                kills += 1
    assert kills >= 4
    same_files(straight, trainer.job.folder)
    assert torch.load(straight / "state.pt", weights_only=True)["format"] == checkpoint.FORMAT


def test_two_processes_stop_together_and_go_on_to_the_same_bits(make_job, same_files):
    settings = {"lora": LORA, "micro_batch": 1, "steps": 20}
    straight, broken = (make_job(name, settings) for name in ("straight", "broken"))
    train_together(straight, 2, task=Finetuning)
    train_together(broken, 2, stop_at=15, task=Finetuning)
    assert checkpoint.read(broken.scratch / "state.pt")["step"] == 16
    train_together(broken, 2, task=Finetuning)
    same_files(straight.folder, broken.folder)


def test_several_processes_are_launched(make_job):
    job = make_job(settings={"micro_batch": 1, "steps": 4}, run={"processes": 2})
    assert make(job)["steps"] == 4 and job.provenance["processes"] == 2
    assert (job.folder / "model.safetensors").is_file()
