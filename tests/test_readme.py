"""What the README shows works as it stands there, and it says the same in both languages."""

import json
import re
import shlex
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import typer
import yaml
from cells import tiny, write_cell
from experiments import Experiment
from pages import COMMAND, ROOT, blocks
from serving import served, trained
from tuned_cells import tuned, write_tuned
from typer.testing import CliRunner

import gptgrid.api
from gptgrid.cli.main import app
from gptgrid.config.grid import cells_of
from gptgrid.config.read import ConfigError, Configuration
from gptgrid.stages.compare.tables import compare

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
README = ENGLISH.read_text("utf-8")
CELL = "tales.bpe.llama.base.s1"
TAUGHT = "tales.bpe.qwen3.muon.s1.chat"
ADDRESS = "http://127.0.0.1:8000"
LINK = re.compile(r"\]\(([^)]+)\)")
ROOT_COMMAND = typer.main.get_command(app)


def of_language(language: str) -> list[str]:
    """Return the blocks of a language, in order."""
    return [block.text for block in blocks(ENGLISH) if block.language == language]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that a program runs in; it has the cells that the examples name."""
    cells = tmp_path / "results/default/cells"
    write_cell(cells / CELL / "train", tiny(257, context=64))
    write_tuned(cells / TAUGHT / "finetune", tuned())
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------------------- Python


def test_a_trained_cell_in_python(folder: Path, capsys) -> None:
    _, example = of_language("python")
    exec(example, {})
    assert len(capsys.readouterr().out.splitlines()) >= 2


def test_a_training_of_ones_own(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    assert 'help("gptgrid.api")' in README
    example = "".join(re.findall(r"^ {4}(.*\n)", gptgrid.api.__doc__, re.MULTILINE))
    texts = ["The fox ran to the hen.", "The hen ran to the fox.", "The fox and the hen ran home."] * 99
    torch.manual_seed(0)
    torch.set_num_threads(1)
    exec(example, vars(gptgrid.api) | {"torch": torch, "texts": texts})
    assert "ran" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- server


def test_the_client_of_openai_streams(capsys) -> None:
    example, _ = of_language("python")
    with served({CELL: trained()}) as address:
        exec(example.replace(ADDRESS, address), {})
    assert ADDRESS in example and capsys.readouterr().out


def test_the_server_understands_what_curl_sends() -> None:
    (line,) = [line for line in lines() if line.startswith("curl ")]
    _, url, _, header, _, data = shlex.split(line)
    with served({CELL: trained()}) as address:
        headers = dict([header.split(": ")])
        asked = urllib.request.Request(url.replace(ADDRESS, address), data.encode(), headers)
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer)["choices"][0]["text"]


# ------------------------------------------------------------------------------------------ commands


def lines() -> Iterator[str]:
    """Yield the command lines of all blocks."""
    for block in blocks(ENGLISH):
        for line in block.text.replace("\\\n", "").splitlines():
            if block.language == "sh" or line.startswith(COMMAND):
                yield line.removeprefix(COMMAND)


def parse(words: list[str], command: typer.core.TyperCommand = ROOT_COMMAND) -> None:
    """Parse a command line as typer does, but run nothing; what it does not take is an error."""
    while words and words[0] in getattr(command, "commands", {}):
        name, *words = words
        command = command.commands[name]
    command.make_context(command.name, words)


def test_commands_take_what_is_given_to_them() -> None:
    found = [
        words[1:] for words in (shlex.split(line, comments=True) for line in lines()) if words[0] == "gptgrid"
    ]
    assert {words[0] for words in found} == {"plan", "chat", "export", "generate", "neighbours", "serve"}
    for words in found:
        parse(words)


def options(command: typer.core.TyperCommand) -> set[str]:
    """Return the options that a command takes."""
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_commands_and_options_in_the_text_are_there(page: Path) -> None:
    seen = set()
    for line in page.read_text("utf-8").splitlines():
        named = re.findall(r"`gptgrid ([a-z]+)", line)
        commands = [ROOT_COMMAND.commands[name] for name in named] or [ROOT_COMMAND]
        if "`gptgrid " in line:
            given = set(re.findall(r"(?<=[` ])--[a-z-]+", line)) - {"--help"}
            assert given <= set().union(*map(options, commands)), line
        seen |= set(named)
    assert seen >= ROOT_COMMAND.commands.keys()


def test_commands_that_print_something_do(folder: Path) -> None:
    for block in of_language("console"):
        for line in block.splitlines():
            if line.startswith(COMMAND):
                result = CliRunner().invoke(app, shlex.split(line.removeprefix(f"{COMMAND}gptgrid")))
                assert result.exit_code == 0 and result.stdout.strip(), result.output


# ------------------------------------------------------------------------------------- configuration


def configurations() -> list[dict]:
    return [yaml.safe_load(block) for block in of_language("yaml")]


def cells(config: dict) -> int:
    """Return how many cells a configuration has; it is an error if it is not valid."""
    return len(cells_of(Configuration(config, "config/mine.yaml")))


def test_example_of_a_text_of_your_own_is_valid() -> None:
    own, _, grid, answers, more, _ = configurations()
    assert cells(own) == 8
    # The next sections refer to the same names.
    assert cells({**own, "grid": grid["grid"]}) == 2 * 3 * 2 * 3 + 3
    assert cells({**own, **more}) == 8
    taught = cells_of(Configuration({**own, **answers}, "config/mine.yaml"))
    assert [[made.finetuning.label for made in cell.finetuned] for cell in taught] == [
        ["chat", "chat-lora"]
    ] * 2


def test_examples_of_sources_and_tokenizers_are_valid() -> None:
    own, more, *_ = configurations()
    block = {
        **own["grid"][0],
        "corpus": ["wiki", "news", "novels", "mail"],
        "tokenizer": [*more["tokenizers"]],
    }
    merged = {section: {**own[section], **more[section]} for section in more}
    assert cells({**own, **merged, "grid": [block]}) == 32


def test_examples_of_trainings_are_valid() -> None:
    own, *_, recipes = configurations()
    models = own["models"] | recipes["models"]
    block = {**own["grid"][0], "model": [*models], "training": [*recipes["training"]]}
    assert cells({**own, **recipes, "models": models, "grid": [block]}) == 48


def test_error_shown_is_the_one_that_comes() -> None:
    own, *_ = configurations()
    own["models"]["gpt2"]["n_embd"] = 64
    with pytest.raises(ConfigError) as failure:
        Configuration(own, "config/mine.yaml")
    assert str(failure.value) in README


# --------------------------------------------------------------------------------------------- names


def test_files_it_names_are_there() -> None:
    links = [name for name in LINK.findall(README) if not name.startswith("http")]
    recipes = re.findall(r"config/recipes/[\w-]+\.yaml", README)
    assert len(recipes) >= 1
    for name in links + recipes:
        assert (ROOT / name).exists(), name


def test_tables_it_names_are_made(tmp_path: Path) -> None:
    named = re.findall(r"\b\w+\.csv", "".join(re.findall(r"^\| `compare/.*?\|", README, re.MULTILINE)))
    experiment = Experiment(tmp_path)
    experiment.finetune(chat=1.0)
    job = experiment.compare_job()
    compare(job)
    made = {path.name for path in job.folder.iterdir()}
    assert len(named) == 13 and set(named) <= made


# ----------------------------------------------------------------------------------------- languages


def test_both_languages_show_the_same() -> None:
    english, chinese = (
        [(block.language, block.text) for block in blocks(page)] for page in (ENGLISH, CHINESE)
    )
    assert english == chinese


def test_both_languages_lead_to_the_same_and_to_each_other() -> None:
    text = CHINESE.read_text("utf-8")
    assert CHINESE.name in LINK.findall(README) and ENGLISH.name in LINK.findall(text)
    english = [name for name in LINK.findall(README) if name != CHINESE.name]
    chinese = [name.replace("/zh/", "/en/") for name in LINK.findall(text) if name != ENGLISH.name]
    assert sorted(english) == sorted(chinese)
    assert text.count("\n## ") == README.count("\n## ") and text.count("\n| ") == README.count("\n| ")
