"""A grid expands to the cells that its blocks mean, in order, each once."""

import pytest

from gptgrid.config.grid import cells_of, parent_of
from gptgrid.config.read import ConfigError, Configuration
from gptgrid.plan.plan import expand_globs

BASE = {
    "corpora": {"tales": {"source": "builtin"}, "toy": {"source": "builtin"}},
    "tokenizers": {"char": {"kind": "char"}, "bytes": {"kind": "bytes"}},
    "models": {"a": {}, "b": {"preset": "llama"}},
    "training": {
        "base": {"steps": 10},
        "long": {"base": "base", "steps": 20, "continues": "base"},
        "odd": {"base": "long", "batch_tokens": 1024},
        "short": {"base": "long", "steps": 5},
        "auto": {"tokens": "1M", "batch_tokens": "auto"},
        "more": {"tokens": "2M", "continues": "auto"},
    },
}


def names(*blocks: dict) -> list[str]:
    return [cell.name for cell in cells_of(Configuration({**BASE, "grid": list(blocks)}, "my.yaml"))]


def test_cross_product_in_order_of_the_name() -> None:
    block = {"seed": [1, 2], "model": ["a", "b"], "tokenizer": "char", "corpus": "toy", "training": "base"}
    assert names(block) == [
        "toy.char.a.base.s1",
        "toy.char.a.base.s2",
        "toy.char.b.base.s1",
        "toy.char.b.base.s2",
    ]


def test_overrides_are_added_to_their_part() -> None:
    block = {
        "corpus": "tales",
        "tokenizer": "char",
        "model": "a",
        "training": "base",
        "model.n_layer": [2, 4],
        "training.lr": [1e-3],
        "corpus.split.valid": [0.2],
    }
    assert names(block) == [
        "tales+split.valid=0.2.char.a+n_layer=2.base+lr=0.001.s1",
        "tales+split.valid=0.2.char.a+n_layer=4.base+lr=0.001.s1",
    ]
    cell = cells_of(Configuration({**BASE, "grid": [block]}, "my.yaml"))[0]
    assert cell.model.value.n_layer == 2
    assert cell.corpus.value.split.valid == 0.2
    assert cell.overrides == {"corpus.split.valid": 0.2, "model.n_layer": 2, "training.lr": 1e-3}


def test_zip_advances_together_and_exclude_leaves_out() -> None:
    block = {
        "corpus": ["tales", "toy"],
        "tokenizer": ["char", "bytes"],
        "model": ["a", "b"],
        "training": "base",
        "zip": ["corpus", "model"],
        "exclude": [{"tokenizer": "bytes", "model": "b"}],
    }
    assert names(block) == ["tales.char.a.base.s1", "tales.bytes.a.base.s1", "toy.char.b.base.s1"]


def test_union_of_blocks_holds_each_cell_once() -> None:
    block = {"corpus": "toy", "tokenizer": "char", "model": "a", "training": "base"}
    assert names(block, {**block, "seed": [2, 1]}) == ["toy.char.a.base.s1", "toy.char.a.base.s2"]


def test_a_part_with_a_choice_must_be_named() -> None:
    with pytest.raises(
        ConfigError, match=r"grid\[0\]: `corpus` is missing, and there is a choice: tales, toy"
    ):
        names({"tokenizer": "char", "model": "a", "training": "base"})


def parent_name(training: str, **override: list) -> str:
    block = {"corpus": "toy", "tokenizer": "char", "model": "a", "training": training, **override}
    configuration = Configuration({**BASE, "grid": [block]}, "my.yaml")
    return parent_of(configuration, cells_of(configuration)[0]).name


def test_a_continued_training_has_a_parent_with_the_same_overrides() -> None:
    assert parent_name("long") == "toy.char.a.base.s1"
    assert parent_name("long", **{"training.lr": [0.01]}) == "toy.char.a.base+lr=0.01.s1"
    assert parent_name("long", **{"training.steps": [30]}) == "toy.char.a.base.s1"
    assert parent_name("more") == "toy.char.a.auto.s1"  # whose batch_tokens the trainer knows


@pytest.mark.parametrize(
    ("training", "expected"),
    [("odd", "batch_tokens is 8192 in base and 1024 here"), ("short", "steps must grow, but base has 10")],
)
def test_a_parent_that_does_not_fit_is_refused(training: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parent_name(training)


def test_a_folder_means_all_files_in_it(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("texts/b.txt", "texts/sub/a.txt", "other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert expand_globs(["texts", "*.txt"], "here") == ["texts/b.txt", "texts/sub/a.txt", "other.txt"]
