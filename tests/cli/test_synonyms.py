"""Who types an option of another tool is told what it is here."""

import pytest
from typer.testing import CliRunner

from gptgrid.cli.main import app
from gptgrid.cli.synonyms import SYNONYMS
from gptgrid.inference.chat import Settings


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), terminal_width=200)
    assert result.exit_code == 2 and result.stdout == ""
    return " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--greedy", "--greedy; here it is --temperature 0"),
        ("--num_beams=4", "beams; here it is --beams"),
        ("--num-return-sequences", "--num-return-sequences; here it is --count"),
        ("--max-length", "--max-length; here it is --max-new-tokens"),
    ],
)
def test_generate_names_its_own_option(option, expected):
    assert expected in said("generate", "cell", option, "4")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--greedy", "--greedy; here it is --set temperature=0"),
        ("--max-new-tokens", "--max-new-tokens; here it is --set max_new_tokens=VALUE"),
        ("--max_tokens", "tokens; here it is --set max_new_tokens=VALUE"),
        ("--top-p=0.5", "--top-p; here it is --set top_p=VALUE"),
    ],
)
def test_chat_names_its_setting(option, expected):
    assert expected in said("chat", "cell", option, "50")


@pytest.mark.parametrize(
    "arguments", [("generate", "--nonsense"), ("chat", "--count"), ("chat", "--nonsense")]
)
def test_what_is_nothing_here_gets_no_hint(arguments):
    assert "No such option" in said(*arguments) and "here it is" not in said(*arguments)


@pytest.mark.parametrize("name", SYNONYMS)
def test_every_synonym_is_an_option_of_generate_and_none_is_one_itself(name):
    assert "here it is" in said("generate", "cell", f"--{name}")
    word = SYNONYMS[name].split()[0].replace("-", "_")
    assert word == "count" or word in Settings().values()
