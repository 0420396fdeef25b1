"""The configuration in a card asks for the very artifacts that the cell has: nothing of it would run."""

import json
from pathlib import Path
from typing import Any

import pytest
from making import make, plan_of

from gptgrid.config.parse import yaml
from gptgrid.inference.export.again import again, again_sections, dump
from gptgrid.inference.export.loaded import load
from gptgrid.text.chat_template import CHATML

CONFIG: dict[str, Any] = {
    "experiment": "e",
    "corpora": {"toy": {"source": "builtin", "documents": 60}},
    "tokenizers": {"bytes": {"kind": "bytes", "special_tokens": ["<|im_start|>", "<|im_end|>"]}},
    "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 256}},
    "training": {
        "base": {"steps": 2, "batch_tokens": 512, "checkpoints": {"every": 1}},
        "longer": {"base": "base", "steps": 3, "continues": "base"},
    },
    "dialogues": {"qa": {"source": "builtin", "name": "tales", "documents": 40}},
    "finetuning": {
        "thin": {"data": "qa", "steps": 2, "batch_tokens": 512, "lora": {"rank": 2}},
        "own": {"data": "qa", "steps": 2, "batch_tokens": 512, "template": "own.jinja"},
    },
    "evaluation": {
        "answers": {"documents": 2, "max_new_tokens": 3},
        "contexts": [128],
        "tasks": {"grammar": {"source": "files", "paths": ["pairs.jsonl"], "format": "minimal-pairs"}},
    },
    "sampling": {"prompts": ["The"], "max_new_tokens": 3},
    "grid": [
        {"corpus": "toy", "training": "base", "finetuning": ["thin", "own"]},
        {"corpus": "toy", "training": "longer"},
    ],
    "run": {"device": "cpu"},
}
OF_ALL = tuple(f"results/again/{name}/" for name in ("compare", "report", "samples"))
"""Folders of what is known of all cells of an experiment together."""


@pytest.fixture(autouse=True)
def _made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GPTGRID_STORE", raising=False)
    Path("own.jinja").write_text(CHATML.source + "\n")
    pair = {"sentence_good": "Foxes run.", "sentence_bad": "Foxes runs."}
    Path("pairs.jsonl").write_text(json.dumps(pair) + "\n")
    plan = make(CONFIG, "corpus", "tokenizer", "encode", "train", "finetune", "evaluate", "sample")
    assert not plan.failures()


def test_nothing_of_a_cell_would_be_made_again() -> None:
    for name in ("base.s1", "base.s1.thin", "base.s1.own", "longer.s1"):
        found = again(load(f"results/e/cells/toy.bytes.small.{name}"))
        plan = plan_of(found)
        anew = {folder for folder, made in plan.artifacts.items() if plan.action(made) == "run"}
        of_all = {folder for folder in anew if f"{folder}/".startswith(OF_ALL)}
        assert anew == of_all, name
        assert ("answers" in found["evaluation"]) == ("finetuning" in found)


def test_weights_that_the_cell_is_not_judged_by_are_named() -> None:
    cell = "results/e/cells/toy.bytes.small.base.s1"
    assert "CELL@" not in "\n".join(again_sections(load(cell)))
    for name, words in {"1": "those after step 1", "last": "the last ones"}.items():
        said = "\n".join(again_sections(load(f"{cell}@{name}")))
        assert f'not those that this evaluates: {words}. `gptgrid export "CELL@{name}" --to hf`' in said


@pytest.mark.parametrize(
    "text",
    ["1e3", "1e-3", "08", "-.5", "0o17", "1_000", "no", "~", "", "a\x85b", "a\u2028b", "a\n```\n", "# a: 中"],
)
def test_what_is_text_in_a_configuration_is_read_as_that_text(text: str) -> None:
    for values in ({"prompts": [text]}, {text: 1}):
        assert yaml().load(dump(values)) == values
