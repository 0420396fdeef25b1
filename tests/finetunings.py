"""A tiny base model, a few dialogues, and jobs that fine-tune the one on the other: fixtures."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from cells import write_cell
from trainings import RUN

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.config.finetuning import Finetuning as Section
from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.stages.finetune.finetuning import Finetuning
from gptgrid.text.chat_template import Message
from gptgrid.text.dialogues import DialogueWriter
from gptgrid.tokens.codec import BytesCodec
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.trainer import Trainer

MARKS = ("<|im_start|>", "<|im_end|>")
MODEL = {"n_layer": 2, "n_head": 2, "d_model": 32, "context": 128}
SETTINGS = {"steps": 12, "batch_tokens": 512, "eval_every": 5, "precision": "fp32", "lr": 1e-3}
NAMES = ("Ann", "Bo", "Cleo", "Dov")


def dialogue(number: int, turns: int = 1) -> list[Message]:
    """Return a question about a number and its answer, in so many turns."""
    messages = []
    for turn in range(number, number + turns):
        messages.append(Message("user", f"Who has {turn}?"))
        messages.append(Message("assistant", f"{NAMES[turn % len(NAMES)]} has."))
    return messages


def write_dialogues(folder: Path, **splits: list[list[Message]]) -> Path:
    """Write dialogues as the stage corpus does."""
    folder.mkdir(parents=True)
    for split, dialogues in splits.items():
        with DialogueWriter(folder / f"{split}-00000.parquet") as writer:
            for messages in dialogues:
                writer.add(messages)
    (folder / "manifest.json").write_text(json.dumps({"config": {"dialogues": "messages"}}))
    return folder


@pytest.fixture
def dialogues(tmp_path):
    """Return the folder of a few dialogues, of one turn and of two."""
    train = [dialogue(number, 1 + number % 2) for number in range(40)]
    valid = [dialogue(number) for number in range(50, 60)]
    return write_dialogues(tmp_path / "dialogues", train=train, valid=valid)


@pytest.fixture
def make_base(tmp_path):
    """Return a function that writes a base model, with the tokenizer of bytes if there is no other."""

    def make(name="base", marks=MARKS, status="finished", codec=None, padding=0, **switches) -> Path:
        folder = tmp_path / name
        if not folder.is_dir():
            codec = codec or BytesCodec(marks)
            module = build(Model(**{**MODEL, **switches}), codec.vocab_size + padding, codec.eot)
            initialize(module, 7)
            write_cell(folder, module, codec, status)
        return folder

    return make


@pytest.fixture
def make_job(tmp_path, make_base, dialogues):
    """Return a function that gives a job; the same name gives the same folders, as after a kill."""

    def make(name="cell", settings=None, run=None, base=None, raw=None, data=None) -> Job:
        given = {**SETTINGS, **(settings or {})}
        section = Section(data="given", **{key: value for key, value in given.items() if value is not None})
        config = {"finetuning": section.complete(), "use": "best", "seed": 3}
        for key in ("data", "use"):  # of the plan
            del config["finetuning"][key]
        folder, scratch = tmp_path / name / "artifact", tmp_path / name / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(exist_ok=True)
        inputs = {"train": base or make_base(), "dialogues": data or dialogues}
        settings = SimpleNamespace(**{**RUN, **(run or {})})
        return Job(namespace(config), inputs, folder, scratch, settings, raw or {})

    return make


@pytest.fixture
def finetune(make_job):
    """Return a function that fine-tunes to the end and returns the folder of the deliverables."""

    def run(name="cell", **options) -> Path:
        job = make_job(name, **options)
        trainer = Trainer(Finetuning(job))
        trainer.run()
        (job.folder.parent / "facts.json").write_text(json.dumps(deliver(trainer)))
        return job.folder

    return run
