"""At the end of a run stands the best cell of each text, with a command that a shell takes."""

import json
import shlex
import subprocess
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


PROMPTS = [
    *("ROMEO:\n", "\n", "a\r\n\tb", "It's \\n\n", "\\", "'", '"$HOME" `ls` !x\n', "-x\n", "--help"),
    *(
        "\x1b[1m",
        "\x7f",
        "第一回\u3000甄士隐\n",
        "\u00a0f",
        "\u0085",
        "\x01f",
        "a\u200cb",
        "\U000e0001",
        "é\n",
    ),
]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_bash_reads_the_prompt_as_it_is(plan, prompt, locale):
    sampled(prompt, " goes on.")
    command = outcome(plan)[2]
    assert command.isprintable()
    printed = ["bash", "-c", f"gptgrid() {{ printf '%s\\0' \"$@\"; }}; {command}"]
    found = subprocess.run(printed, capture_output=True, check=True, env={"LC_ALL": locale}).stdout
    assert found.decode().split("\0")[:-1] == ["generate", "cells/a.bpe.gpt2.base.s1", "--prompt", prompt]


def test_a_line_end_is_written_so_that_it_is_read_at_a_glance(plan):
    sampled("ROMEO:\n", " goes on.")
    assert outcome(plan)[2].endswith(r" --prompt $'ROMEO:\n'")


@pytest.mark.parametrize("prompt", ["long " * 50, "", "a\0b"])
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
