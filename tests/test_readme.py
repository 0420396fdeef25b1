"""What the README shows works as it stands there."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from cells import tiny, write_cell

from gptgrid.api import load_tokenizer
from gptgrid.config.grid import cells_of
from gptgrid.config.read import Configuration

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_python_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    example, _ = blocks("python")
    path = re.search(r'load\("(.*?)"\)', example)[1]
    write_cell(tmp_path / path / "train", tiny(257, context=64))
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert len(capsys.readouterr().out.splitlines()) >= 2


def test_training_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    _, example = blocks("python")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    exec(example, {})
    first, text = capsys.readouterr().out.splitlines()
    assert float(first.removesuffix(" nats a token")) < 1
    assert "ran" in text
    assert load_tokenizer("own-tokenizer").vocab_size == 265


def test_example_of_a_text_of_your_own_is_valid() -> None:
    own, _, grid, _ = map(yaml.safe_load, blocks("yaml"))
    assert len(cells_of(Configuration(own, "config/mine.yaml"))) == 8
    # The grid of the next section refers to the same names.
    varied = cells_of(Configuration({**own, "grid": grid["grid"]}, "config/mine.yaml"))
    assert len(varied) == 2 * 3 * 2 * 3 + 3


def test_examples_of_sources_and_tokenizers_are_valid() -> None:
    own, more, _, _ = map(yaml.safe_load, blocks("yaml"))
    everything = {
        **own,
        **{section: {**own[section], **more[section]} for section in more},
        "grid": [
            {
                **own["grid"][0],
                "corpus": ["wiki", "news", "novels", "mail"],
                "tokenizer": [*more["tokenizers"]],
            }
        ],
    }
    assert len(cells_of(Configuration(everything, "config/mine.yaml"))) == 32


def test_examples_of_trainings_are_valid() -> None:
    own, _, _, recipes = map(yaml.safe_load, blocks("yaml"))
    models = own["models"] | recipes["models"]
    block = {**own["grid"][0], "model": [*models], "training": [*recipes["training"]]}
    everything = {**own, **recipes, "models": models, "grid": [block]}
    assert len(cells_of(Configuration(everything, "config/mine.yaml"))) == 48


def test_error_shown_is_the_one_that_comes() -> None:
    own = yaml.safe_load(blocks("yaml")[0])
    own["models"]["gpt2"]["n_embd"] = 64
    with pytest.raises(Exception) as failure:
        Configuration(own, "config/mine.yaml")
    assert str(failure.value) in README


def test_files_it_names_are_there() -> None:
    root = Path(__file__).resolve().parents[1]
    for name in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (root / name).exists(), name
