"""Recipes of fine-tuning, and what a grid fine-tunes: beside each cell, never in its place."""

from pathlib import Path
from typing import Any

import pytest
from checkpoints import gpt2, write

from gptgrid.artifact.identity import canonical
from gptgrid.config.cell import Cell
from gptgrid.config.finetuning import Lora
from gptgrid.config.grid import cells_of
from gptgrid.config.read import ConfigError, Configuration, load
from gptgrid.config.training import Training

CELL = {"corpus": "toy", "tokenizer": "char", "model": "a", "training": "base"}
CONFIG = {
    "corpora": {"toy": {"source": "builtin"}, "noise": {"source": "random", "vocab_size": 9, "tokens": "1k"}},
    "tokenizers": {"char": {"kind": "char"}, "ids": {"kind": "ids"}},
    "models": {
        **{"a": {}, "b": {}, "wide": {"context": 384}, "short": {"context": 64}},
        **{"encoder": {"preset": "encoder"}, "narrow": {"head_dim": 4, "n_head": 2}},
    },
    "training": {"base": {"steps": 10}},
    "dialogues": {"qa": {"source": "builtin", "name": "tales"}, "other": {"source": "files", "paths": ["x"]}},
    "finetuning": {
        "chat": {"data": "qa", "epochs": 2},
        "thin": {"base": "chat", "steps": 5, "lora": {"rank": 4}},
        "lost": {"base": "chat", "data": "qb"},
    },
}


def cells(*blocks: dict[str, Any], **changes: Any) -> list[Cell]:
    return cells_of(Configuration({**CONFIG, **changes, "grid": list(blocks)}, "my.yaml"))


def finetuned(*blocks: dict[str, Any]) -> list[str]:
    """Return the names of what is fine-tuned, without those of the cells."""
    return [
        made.name.removeprefix("toy.char.").replace(".base", "")
        for cell in cells(*blocks)
        for made in cell.finetuned
    ]


def recipe(**keys: Any) -> Any:
    config = {**CONFIG, "finetuning": {"chat": {"data": "qa", **keys}}, "grid": [CELL]}
    return Configuration(config, "my.yaml").entry("finetuning", "chat")


def test_each_cell_stays_and_each_recipe_adds_what_is_made_of_it() -> None:
    block = {**CELL, "model": ["a", "b"], "seed": [1, 2]}
    plain, both = cells(block), cells({**block, "finetuning": ["chat", "thin"]})
    assert [cell.name for cell in both] == [cell.name for cell in plain]
    assert not any(cell.finetuned for cell in plain)
    assert [made.name for made in both[1].finetuned] == [
        "toy.char.a.base.s2.chat",
        "toy.char.a.base.s2.thin",
    ]
    assert [made.seed for cell in both for made in cell.finetuned] == [1, 1, 2, 2, 1, 1, 2, 2]


def test_blocks_add_to_what_is_made_of_a_cell() -> None:
    assert finetuned(CELL, {**CELL, "finetuning": "thin"}, {**CELL, "finetuning": ["chat", "thin"]}) == [
        "a.s1.thin",
        "a.s1.chat",
    ]


def test_keys_of_a_recipe_vary_in_its_part_of_the_name() -> None:
    block = {**CELL, "finetuning": "chat", "finetuning.lr": [1e-4, 3e-4], "finetuning.lora.rank": [2]}
    (cell,) = cells(block)
    assert [made.finetuning.label for made in cell.finetuned] == [
        "chat+lr=0.0001+lora.rank=2",
        "chat+lr=0.0003+lora.rank=2",
    ]
    first = cell.finetuned[0]
    assert first.overrides == {"finetuning.lr": 1e-4, "finetuning.lora.rank": 2}
    assert (first.finetuning.value.lr, first.finetuning.value.lora.rank) == (1e-4, 2)
    assert cell.overrides == {}


def test_exclude_with_a_key_of_fine_tuning_leaves_the_cell() -> None:
    block = {**CELL, "model": ["a", "b"], "finetuning": ["chat", "thin"]}
    block["exclude"] = [{"model": "b", "finetuning": "thin"}]
    assert finetuned(block) == ["a.s1.chat", "a.s1.thin", "b.s1.chat"]
    block["exclude"] = [{"model": "b", "finetuning": "thin"}, {"model": "b", "finetuning": "chat"}]
    assert [cell.model.name for cell in cells(block)] == ["a", "b"]
    assert finetuned(block) == ["a.s1.chat", "a.s1.thin"]
    block["exclude"] = [{"model": "b"}]
    assert [cell.model.name for cell in cells(block)] == ["a"]


def test_recipes_may_advance_together_with_another_list() -> None:
    block = {**CELL, "model": ["a", "b"], "finetuning": ["chat", "thin"], "zip": ["model", "finetuning"]}
    assert finetuned(block) == ["a.s1.chat", "b.s1.thin"]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"finetuning": "chta"}, "my.yaml: finetuning: unknown name 'chta'; did you mean 'chat'?"),
        ({"finetuning": []}, "my.yaml: grid[0].finetuning: an empty list"),
        ({"finetuning.lr": [1e-4]}, "grid[0]: `finetuning` is missing, of which finetuning.lr varies a key"),
        ({"finetunning": "chat"}, "grid[0]: unknown key 'finetunning'; did you mean 'finetuning'?"),
        (
            {"finetuning": "chat", "finetuning.windows": ["random"]},
            "grid[0]: finetuning.windows: finetuning.chat: windows is a key of trainings alone",
        ),
        (
            {"finetuning": "lost"},
            "cell toy.char.a.base.s1.lost: finetuning.data: unknown name 'qb'; known: qa, other",
        ),
        (
            {"model": "wide", "training.batch_tokens": [768], "finetuning": "chat"},
            "cell toy.char.wide.base+batch_tokens=768.s1.chat: batch_tokens 8192 is not a multiple of context 384; "
            "the nearest that are: 8064, 8448",
        ),
        (
            {"corpus": "noise", "tokenizer": "ids", "finetuning": "chat"},
            "corpus noise brings bare ids, which no dialogue becomes; leave `finetuning` out of its block",
        ),
        (
            {"model": "encoder", "finetuning": "thin"},
            "cell toy.char.encoder.base.s1.thin: lora: a model of preset encoder has no layers that an adapter",
        ),
        (
            {"finetuning": "thin", "finetuning.lora.rank": [128]},
            "thin+lora.rank=128: lora.rank 128 is not below 128, the shorter side of a matrix",
        ),
        ({"model": "narrow", "finetuning": "thin", "finetuning.lora.rank": [8]}, "rank 8 is not below 8"),
        (
            {"model": "short", "finetuning": "chat"},
            "evaluation.answers.max_new_tokens is 100, but the context of model short is 64 tokens, question",
        ),
        (
            {"finetuning": "chat", "finetuning.tokens": ["2M", 2_000_000]},
            "my.yaml: grid[0]: finetuning chat+tokens=2M and chat+tokens=2000000 are the same; leave one out",
        ),
    ],
)
def test_what_cannot_be_fine_tuned_is_refused(block: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as failure:
        cells({**CELL, **block})
    assert expected in str(failure.value)


def test_an_adapter_may_stand_in_for_whatever_it_makes_smaller() -> None:
    narrow = {**CELL, "model": "narrow", "finetuning": "thin", "finetuning.lora.rank": [127]}
    assert finetuned({**narrow, "finetuning.lora.targets": [["feed_forward"]]})
    assert finetuned({**CELL, "finetuning": "thin", "finetuning.lora.rank": [127]})


def test_dialogues_are_missing() -> None:
    with pytest.raises(ConfigError, match=r"finetuning\.data: `dialogues` has no entry; add one"):
        cells({**CELL, "finetuning": "chat"}, dialogues={})


def test_a_recipe_shares_the_keys_of_training_that_fit_it() -> None:
    found = recipe(epochs=2)
    own = {"data", "template", "new_tokens", "too_long", "lora"}
    assert set(type(found).model_fields) - set(Training.model_fields) == own
    assert (found.lr, found.min_lr, found.batch_tokens) == (3e-4, 3e-5, 8192)
    assert found.slice() == found.complete()
    longer = Configuration({**CONFIG, "grid": [CELL]}, "my.yaml").entry("finetuning", "thin")
    assert (longer.epochs, longer.steps, longer.lora.alpha) == (None, 5, 16)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "give one of tokens, epochs and steps as the budget; found none"),
        ({"epochs": 1, "min_lr": 1}, "min_lr 1 is above lr 0.0003"),
        (
            {"epochs": 1, "windows": "random"},
            "windows is a key of trainings alone: conversations go whole into",
        ),
        (
            {"epochs": 1, "continues": "base"},
            "continues is a key of trainings alone: a fine-tuning starts from",
        ),
        (
            {"epochs": 1, "batch_tokens": "auto"},
            "batch_tokens: the law for `auto` is one of training from scratch",
        ),
        ({"epochs": 1, "weight_decay": "auto"}, "weight_decay: the law for `auto` is one of training from"),
        ({"epochs": 1, "lora": {"r": 8}}, "finetuning.chat.lora: unknown key 'r'; did you mean 'rank'?"),
        ({"epochs": 1, "lora": {"targets": ["attention", "attention"]}}, "attention is there twice"),
        ({"epochs": 1, "lora": {"targets": ["mlp"]}}, "finetuning.chat.lora.targets.0: found 'mlp'"),
        ({"epochs": 1, "too_long": "crop"}, "finetuning.chat.too_long: found 'crop'"),
        ({"epochs": 1, "packing": True}, "finetuning.chat: unknown key 'packing'; leave it out"),
    ],
)
def test_what_no_recipe_can_say_is_refused(keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as failure:
        recipe(**keys)
    assert expected in str(failure.value)


@pytest.mark.parametrize(
    ("word", "ours"), [("ShareGPT", "messages"), ("chatml", "messages"), ("alpaca", "instruction")]
)
def test_other_words_for_a_format(word: str, ours: str) -> None:
    dialogues = {"qa": {"source": "files", "paths": ["x"], "format": word}}
    with pytest.raises(ConfigError, match=f"qa.format: found '{word}'; did you mean '{ours}'?"):
        cells({**CELL, "finetuning": "chat"}, dialogues=dialogues)


def test_quick_and_settings_change_recipes_and_dialogues(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(
        "corpora: {toy: {source: builtin}}\ntokenizers: {char: {kind: char}}\nmodels: {a: {}}\n"
        "training: {base: {steps: 9}}\ndialogues: {qa: {source: builtin, name: tales}}\n"
        "finetuning: {chat: {data: qa, epochs: 2}}\ngrid: [{finetuning: chat}]\n"
        "quick: {dialogues: {qa: {documents: 50}}, finetuning: {chat: {steps: 3}}}\n"
    )
    quick = load([path], {"quick": True})
    assert quick.entry("dialogues", "qa").documents == 50
    assert (quick.entry("finetuning", "chat").steps, quick.entry("finetuning", "chat").epochs) == (3, None)
    with pytest.raises(ConfigError, match="--config: finetuning: unknown name 'caht'; did you mean 'chat'"):
        load([path], {"finetuning.caht.lr": 1e-4})


def test_of_a_model_of_others_there_is_one_base_for_all_seeds(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "it", gpt2())
    own = {"own": {"kind": "huggingface", "file": "it/tokenizer.json"}}
    recipes = {"chat": {"data": "qa", "epochs": 1, "batch_tokens": 48}}
    block = {"corpus": "toy", "model": "start", "seed": [3, 4], "finetuning": "chat"}
    changes = {"tokenizers": own, "models": {"start": {"huggingface": "it"}}, "finetuning": recipes}
    changes["evaluation"] = {"answers": {"max_new_tokens": 8}}
    (cell,) = cells(block, **changes)
    assert cell.name == "toy.own.start.none.s3"
    assert [made.name for made in cell.finetuned] == [
        "toy.own.start.none.s3.chat",
        "toy.own.start.none.s4.chat",
    ]


def test_a_key_at_its_default_is_the_same_recipe_as_without_it() -> None:
    defaults = {"rank": 8, "alpha": 16, "dropout": 0, "targets": ["attention", "feed_forward"]}
    assert canonical(Lora(**defaults).model_dump()) == canonical(Lora().model_dump())
