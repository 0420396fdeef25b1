"""cautions.csv says what stands against the figures of fine-tuned cells."""

import json

import pandas as pd
import pytest
from experiments import Experiment

from gptgrid.stages.compare.tables import compare

GPT2 = "tales.char.gpt2.base"


@pytest.fixture
def experiment(tmp_path):
    found = Experiment(tmp_path, ("tales",), ("char",), ("gpt2",), (1, 2))
    found.finetune(chat=1.0, lora=1.2)
    ask(found, asked=200, items=40)
    return found


def ask(experiment: Experiment, dialogues: int = 80, **asked: int) -> None:
    for entry in experiment.finetuned:
        path = experiment.inputs[f"dialogues:{entry['cell']}:qa"] / "evaluation.json"
        found = json.loads(path.read_text())
        found |= {"dialogues": dialogues, "asked": {**found["asked"], **asked}}
        path.write_text(json.dumps(found))


def said(experiment: Experiment) -> list[str]:
    job = experiment.compare_job()
    compare(job)
    rows = pd.read_csv(job.folder / "cautions.csv")
    return rows["caution"][rows["text"] == "dialogues qa"].tolist()


def test_nothing_is_said_without_a_reason(experiment):
    assert not said(experiment)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"asked": 29, "items": 0}, "29 answers were compared, so few"),
        ({"asked": 60, "items": 29}, "29 short answers were compared, so few that others could"),
    ],
)
def test_few_answers(experiment, asked, expected):
    ask(experiment, **asked)
    (sentence,) = said(experiment)
    assert sentence.startswith(expected) and "raise `evaluation.answers.documents`" in sentence
    ask(experiment, dialogues=asked["asked"])
    assert said(experiment)[0].endswith("give the test more dialogues")


def test_few_validation_dialogues_that_chose_the_weights(experiment):
    few = {"train": {"used": 90, "dropped": 7, "cut": 3}, "valid": {"used": 12, "dropped": 0, "cut": 0}}
    for entry in experiment.finetuned:
        experiment.change(f"finetune:{entry['cell']}", dialogues=few)
    (sentence,) = said(experiment)
    assert sentence.startswith("12 validation dialogues chose the weights") and "`use: last`" in sentence
    for entry in experiment.finetuned:
        entry["use"] = "last"
    assert not said(experiment)


def test_few_steps(experiment):
    experiment.change(f"finetune:{GPT2}.s1.lora", steps=40)
    experiment.change(f"finetune:{GPT2}.s2.lora", steps=10, status="diverged")
    (sentence,) = said(experiment)
    assert sentence.startswith("1 of 3 fine-tunings has fewer than 100 steps (the shortest 40)")


@pytest.mark.parametrize(
    ("split", "expected", "learned"),
    [
        ({"used": 40, "dropped": 60, "cut": 0}, "60 left out, 0 cut", "the short ones"),
        ({"used": 98, "dropped": 2, "cut": 58}, "2 left out, 58 cut", "parts of them"),
    ],
)
def test_dialogues_that_do_not_fit(split, expected, learned, experiment):
    experiment.change(f"finetune:{GPT2}.s2.chat", dialogues={"train": split, "valid": {"used": 90}})
    (sentence,) = said(experiment)
    assert sentence.startswith("in 1 of 4 fine-tunings most training dialogues are longer than the context")
    assert f"(60% in {GPT2}.s2.chat: {expected})" in sentence
    assert f"so that it has learned from {learned};" in sentence
