"""A grid expands to the cells that its blocks mean, in order, each once."""

import re

import pytest

from gptgrid.config.grid import cells_of, parent_of
from gptgrid.config.read import ConfigError, Configuration

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


def test_numbers_are_equal_however_they_are_written() -> None:
    block = {"corpus": "toy", "tokenizer": "char", "model": "a", "training": "base"}
    for values in ([0, 0.0], [1, 1.0, 1e0], [2000, 2e3]):
        assert len(names({**block, "training.weight_decay": values})) == 1
    assert names({**block, "seed": ["2k", 2000]}) == ["toy.char.a.base.s2000"]


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


def test_a_value_overridden_by_itself_is_told_from_one_that_changes_something() -> None:
    block = {"corpus": "tales", "tokenizer": "char", "model": "b", "training": "base"}
    data = {**BASE, "training": {"base": {"steps": 10, "lr": 1e-3}}}
    grid = [{**block, "training.lr": ["1e-3", 1e-2], "model.preset": ["llama"]}]
    cells = cells_of(Configuration({**data, "grid": grid}, "my.yaml"))
    assert [cell.repeated for cell in cells] == [["model.preset", "training.lr"], ["model.preset"]]
    assert list(cells[0].overrides) == ["model.preset", "training.lr"]  # the name stays as it is


def test_an_error_in_an_override_names_the_key_of_the_grid() -> None:
    block = {"corpus": "tales", "tokenizer": "char", "model": "b", "training": "base"}
    expected = r"my.yaml: grid\[1\]: training.l: training.base: unknown key 'l'; did you mean 'lr'\?"
    with pytest.raises(ConfigError, match=expected):
        names(block, {**block, "training.l": [1e-3]})


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


def axis(key: str, values: list, **more: object) -> list[str]:
    """Return the names of the cells of one block with an override."""
    return names(
        {"corpus": "toy", "tokenizer": "char", "model": "a", "training": "base", key: values, **more}
    )


def test_values_that_print_alike_have_names_that_tell_them_apart() -> None:
    assert axis("training.lr", [0.001, 0.0010000000474974513]) == [
        "toy.char.a.base+lr=0.001.s1",
        "toy.char.a.base+lr=0.0010000000474974513.s1",
    ]


def test_a_value_that_is_written_in_several_ways_is_one_cell() -> None:
    assert axis("training.lr", [0.001, 1e-3, "1e-3"]) == ["toy.char.a.base+lr=0.001.s1"]
    assert axis("model.n_layer", [4, 4.0, "4"]) == ["toy.char.a+n_layer=4.base.s1"]


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        (
            "training.tokens",
            ["2M", 2_000_000],
            "training base+tokens=2M and base+tokens=2000000 are the same",
        ),
        ("model.bias", [True, 1], "model a+bias=true and a+bias=1 are the same"),
        ("model.d_ff", [None, 512], "model a+d_ff=none and a+d_ff=512 are the same"),
        ("training.min_lr", [None, 1e-4], "training base+min_lr=none and base+min_lr=0.0001 are the same"),
    ],
)
def test_two_names_for_one_value_are_refused(key: str, values: list, expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"my.yaml: grid[0]: {expected}; leave one out")):
        axis(key, values)


def test_the_value_that_an_entry_has_may_be_among_those_that_vary_it() -> None:
    block = {"corpus": "toy", "tokenizer": "char", "model": "a", "training": "base"}
    assert len(names(block, {**block, "model.n_layer": [2, 4]})) == 3


def test_two_budgets_cannot_vary_at_once() -> None:
    with pytest.raises(ConfigError, match="tokens and epochs cannot vary both: a budget is one"):
        axis("training.tokens", ["1M"], **{"training.epochs": [1]})


def test_an_empty_pattern_excludes_nothing_and_a_list_is_zipped_once() -> None:
    with pytest.raises(ConfigError, match=r"grid\[0\]\.exclude\[1\]: it is empty"):
        axis("seed", [1, 2], exclude=[{"seed": 1}, {}])
    with pytest.raises(ConfigError, match=r"grid\[0\]\.zip: seed is there twice"):
        axis("seed", [1, 2], zip=["seed", "seed"])


def test_two_values_with_one_name_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"grid\[0\]: corpus toy\+license=none would name both .*None.*'none'"
    ):
        axis("corpus.license", [None, "none"])


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("corpus.license", "CC BY 4.0", "toy+license=abec94a5.char.a.base.s1"),
        ("corpus.license", "$(touch x); a/b 'c'", None),
        ("corpus.license", "公有领域", None),
        ("corpus.license", "", None),
        ("corpus.license", "MIT", "toy+license=MIT.char.a.base.s1"),
        ("corpus.split", {"valid": 0.2}, None),
        ("training.betas", [0.9, 0.99], None),
        ("tokenizer.special_tokens", ["<|user|>"], None),
        ("model.window", None, "toy.char.a+window=none.base.s1"),
        ("model.bias", False, "toy.char.a+bias=false.base.s1"),
        ("training.tokens", "2M", "toy.char.a.base+tokens=2M.s1"),
    ],
)
def test_any_value_can_be_an_axis_and_no_name_means_anything_to_a_shell(
    key: str, value: object, name: str
) -> None:
    [cell] = axis(key, [value])
    assert re.fullmatch(r"[A-Za-z0-9_.+=,@-]+", cell)
    assert name in (None, cell)
    assert len(cell) < 60


@pytest.mark.parametrize("written", [0.001, 1e-3, "1e-3", "0.001"])
def test_exclude_knows_a_value_however_it_is_written(written: object) -> None:
    left = axis("training.lr", [1e-3, 3e-3], exclude=[{"training.lr": written}])
    assert left == ["toy.char.a.base+lr=0.003.s1"]


def test_exclude_knows_whole_numbers_and_budgets() -> None:
    assert axis("model.n_layer", [4, 6], exclude=[{"model.n_layer": 4.0}]) == ["toy.char.a+n_layer=6.base.s1"]
    left = axis("training.tokens", ["1M", "2M"], exclude=[{"training.tokens": 2_000_000}])
    assert left == ["toy.char.a.base+tokens=1M.s1"]


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        ([{"training.lr": 0.03}], r"exclude\[0\]\.training\.lr: unknown value 0.03; did you mean '0.003'\?"),
        (
            [{"seed": 1}, {"tokenizer": "chr"}],
            r"exclude\[1\]\.tokenizer: unknown value 'chr'; did you mean 'char'\?",
        ),
        ([{"modle": "a"}], r"exclude\[0\]: unknown list 'modle'; did you mean 'model'\?"),
        ([{"model.bias": 1}], r"exclude\[0\]\.model\.bias: unknown value 1; known: True, False"),
        (
            [{"training.lr": 1e-3, "model.bias": False}],
            r"exclude\[0\]: no cell of the block has all of these values",
        ),
        ({"seed": 1}, r"exclude: found \{'seed': 1\}, expected a list"),
    ],
)
def test_an_exclude_that_excludes_nothing_is_refused(exclude: object, expected: str) -> None:
    bias = {"model.bias": [True, False], "zip": ["training.lr", "model.bias"]}
    with pytest.raises(ConfigError, match=rf"my\.yaml: grid\[0\]\.{expected}"):
        axis("training.lr", [1e-3, 3e-3], exclude=exclude, **bias)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"modl": "a"}, r"grid\[0\]: unknown key 'modl'; did you mean 'model'\?"),
        ({"lr": [1e-3]}, r"grid\[0\]: unknown key 'lr'; did you mean 'training.lr'\?"),
        ({"n_embd": [64]}, r"grid\[0\]: unknown key 'n_embd'; did you mean 'model.d_model'\?"),
        ({"device": "cpu"}, r"grid\[0\]: unknown key 'device'; write it as `run.device`"),
        ({"training.lr": [float("inf")]}, r"training\.base\.lr: found inf; input should be a finite number"),
        ({"zip": "model"}, r"grid\[0\]\.zip: found 'model', expected a list"),
    ],
)
def test_a_block_that_cannot_be_used_is_refused(block: dict, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        names({"corpus": "toy", "tokenizer": "char", "training": "base", "model": "a", **block})


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
