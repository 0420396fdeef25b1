"""At the end of a run stands the best cell of each text, with a command that a shell takes."""

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from gptgrid.plan.outcome import outcome

TABLE = """\
group,text,rank,best,val_loss_mean,bpb_mean,perplexity_mean
a.char.gpt2.base,a,2,False,1.41,1.5,4.1
a.bpe.gpt2.base,a,1,True,2.52,1.25,12.5
a.bpe.unigram,a,,False,4.5,3.5,90.5
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.chdir(tmp_path)
    Path("compare").mkdir()
    Path("compare/comparison.csv").write_text(TABLE)
    names = ("a.char.gpt2.base.s1", "a.bpe.gpt2.base.s1", "a.bpe.gpt2.base.s2")
    cells = [{"cell": name, "path": f"cells/{name}", "private": False} for name in names]
    compare = SimpleNamespace(folder="compare", config={"cells": cells})
    return SimpleNamespace(of_stage=lambda stage: [compare], cells=cells)


def sampled(prompt: str, text: str, seed: int = 1) -> None:
    folder = Path(f"cells/a.bpe.gpt2.base.s{seed}/sample")
    folder.mkdir(parents=True)
    (folder / "samples.jsonl").write_text(json.dumps({"prompt": prompt, "text": text}) + "\n")


def test_the_best_of_a_text_with_its_figures_a_sample_and_the_command(plan):
    sampled("It's", " a fox.\nAnd a hen.")
    best, sample, command = outcome(plan)
    assert best == ("a: best on validation: a.bpe.gpt2.base; test: 1.250 bits per byte, perplexity 12.50")
    assert sample == '  "It\'s a fox. And a hen."'
    assert shlex.split(command) == ["gptgrid", "generate", "cells/a.bpe.gpt2.base.s1", "--prompt", "It's"]


def test_where_no_group_is_the_best_the_lowest_on_validation_is_named(plan):
    table = Path("compare/comparison.csv")
    table.write_text(table.read_text().replace("True", "False"))
    said, command = outcome(plan)
    assert said.startswith("a: no group is the best; lowest on validation: a.bpe.gpt2.base; test: 1.250 bits")
    assert command == "  gptgrid generate cells/a.bpe.gpt2.base.s1"


def test_nothing_is_said_of_a_text_whose_trainings_all_failed(plan):
    table = Path("compare/comparison.csv")
    table.write_text("group,text,rank,best,val_loss_mean,bpb_mean\na.bpe.gpt2.base,a,1,False,,\n")
    assert outcome(plan) == []


def test_a_seed_with_a_sample_is_shown(plan):
    """The training of the first may have diverged."""
    sampled("A", " fox.", seed=2)
    assert outcome(plan)[1:] == ['  "A fox."', "  gptgrid generate cells/a.bpe.gpt2.base.s2 --prompt A"]


@pytest.mark.parametrize("prompt", ["Half a\ndocument", "long " * 50, ""])
def test_a_prompt_that_nobody_types_is_left_out(plan, prompt):
    sampled(prompt, " goes on.")
    assert outcome(plan)[2] == "  gptgrid generate cells/a.bpe.gpt2.base.s1"


def test_of_private_text_no_sample_is_shown(plan):
    sampled("secret", " words")
    plan.cells[1]["private"] = True
    assert not any("secret" in line for line in outcome(plan))


def test_nothing_is_said_without_tables(plan):
    Path("compare/comparison.csv").unlink()
    assert outcome(plan) == []
