"""The demo: a tokenizer and a model that learn in seconds, told the same way each time."""

import io
import re

import pytest
import torch
from rich.cells import cell_len
from typer.testing import CliRunner

from gptgrid.artifact.errors import UserError
from gptgrid.cli.main import app
from gptgrid.inference.demo.lesson import DECODINGS, STEPS, Lesson
from gptgrid.inference.demo.tell import Demo
from gptgrid.inference.walk.show import make_console
from gptgrid.inference.walk.words import LANGUAGES

SECONDS = {"en": r"^\d+ seconds\.$", "zh": r"^用时 \d+ 秒。$"}


@pytest.fixture(autouse=True)
def threads():
    """Let the demo's choice of threads end with the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def told(language: str) -> str:
    file = io.StringIO()
    Demo(make_console(file), language).tell()
    return file.getvalue()


@pytest.fixture(scope="module", params=LANGUAGES)
def story(request) -> tuple[str, list[str]]:
    """Return a language and the lines of its story."""
    return request.param, told(request.param).splitlines()


def test_it_says_the_same_each_time_but_for_the_seconds(story):
    language, lines = story
    again = told(language).splitlines()
    assert [line for line in lines if not re.match(SECONDS[language], line)] == again[:-1]
    assert re.match(SECONDS[language], lines[-1])


def test_it_fits_and_has_no_colours_in_a_pipe(story):
    _, lines = story
    assert max(map(cell_len, lines)) <= 100
    assert not any("\x1b" in line for line in lines)


def test_the_chinese_story_is_chinese(story):
    language, lines = story
    if language == "zh":
        english = [line for line in lines if re.search(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}", line)]
        assert english == [line for line in lines if "--prompt" in line or "--text" in line]


def test_the_loss_falls_and_the_model_learns_to_write(story):
    language, _ = story
    demo = Demo(make_console(io.StringIO()), language)
    prompt, text = demo.say("prompt"), " ".join(demo.sentences)
    before = demo.lesson.write(prompt)
    losses = [at.loss for at in demo.lesson.train()]
    after = demo.lesson.write(prompt)
    assert len(losses) == STEPS
    assert losses[-1] < 0.1 * losses[0]
    assert before.keys() == after.keys() == DECODINGS.keys()
    for name in DECODINGS:
        assert f"{prompt}{before[name]}" not in text
    assert f"{prompt}{after['greedy']}" in text
    assert len(set(after.values())) > 1


def test_training_is_the_pipelines():
    """The rates are those of the recipe's schedule, each update follows one batch."""
    lesson = Lesson(["the cat sat. " * 3] * 4, "gpt4", 10)
    steps = list(lesson.train())
    assert [at.step for at in steps] == list(range(1, STEPS + 1))
    assert [at.rate for at in steps] == [lesson.recipe.learning_rate(step) for step in range(STEPS)]
    assert not lesson.module.training


def test_the_command_tells_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["demo", "--language", "zh"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "学习词表" in result.stdout
    assert not list(tmp_path.iterdir())


def test_an_unknown_language_is_told():
    with pytest.raises(UserError, match="no language"):
        CliRunner().invoke(app, ["demo", "--language", "xx"], catch_exceptions=False)
