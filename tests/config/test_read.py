"""The configuration says clearly what is wrong with it, and its generated pages are in step."""

import copy
import json
import re
from datetime import date
from pathlib import Path

import pytest

from gptgrid.config import reference
from gptgrid.config.corpora import FilesCorpus, ShardsCorpus
from gptgrid.config.dialogues import FilesDialogues
from gptgrid.config.grid import cells_of
from gptgrid.config.models import Model
from gptgrid.config.read import ConfigError, Configuration, load
from gptgrid.config.training import Training

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "corpora": {"tales": {"source": "builtin", "documents": 50}, "ids": {"source": "random", "vocab_size": 9, "tokens": 999}},
    "tokenizers": {"char": {"kind": "char"}, "bpe": {"kind": "bpe"}, "ids": {"kind": "ids"}},
    "models": {"small": {"n_layer": 2, "d_model": 64}, "wide": {"base": "small", "d_model": 128, "preset": "llama"}},
    "training": {"base": {"steps": 10}, "long": {"base": "base", "tokens": "2M"}},
    "grid": [{"corpus": "tales", "tokenizer": ["char", "bpe"], "model": ["small"], "training": ["base"]}],
}  # fmt: skip


@pytest.fixture
def good_file(tmp_path: Path) -> Path:
    file = tmp_path / "a.yaml"
    file.write_text(json.dumps(GOOD))
    return file


def broken(path: str, value: object) -> dict:
    """Return the good configuration with one dotted key replaced."""
    data = copy.deepcopy(GOOD)
    *parents, last = path.split("/")
    inner = data
    for key in parents:
        inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
    inner[int(last) if isinstance(inner, list) else last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("modles", {}, "top level: unknown key 'modles'; did you mean 'models'?"),
        ("models/small/n_embd", 64, "models.small: unknown key 'n_embd'; did you mean 'd_model'?"),
        ("models/small/block_size", 64, "did you mean 'context'?"),
        ("models/small/max_seq_len", 64, "did you mean 'context'?"),
        ("models/small/n_layers", 64, "did you mean 'n_layer'?"),
        ("models/small/n_layer", "two", "models.small.n_layer: found 'two'"),
        ("models/small/n_head", 3, "n_head 3 does not divide d_model 64; heads that do: 1, 2, 4"),
        ("models/small/n_kv_head", 3, "n_kv_head 3 does not divide n_head 4"),
        ("models/small/window", 1000, "window 1000 is longer than context 128"),
        ("models/small/window_pattern", "SL", "window_pattern 'SL' needs a `window` for its letter S"),
        ("models/small", {"window": 8, "window_pattern": "SsLX"}, "window_pattern 'SsLX' has 'X', 's'; its letters are S"),
        ("models/small", {"window": 8, "window_pattern": ""}, "models.small.window_pattern: "),
        ("models/enc", {"preset": "encoder", "position": "rope"}, "position 'rope' is not in nn.TransformerEncoder"),
        ("models/base", {"base": "smal"}, "models.base.base: unknown name 'smal'; did you mean 'small'?"),
        ("models/small/base", "wide", "`base` goes in a circle"),
        ("training/base/max_iters", 5, "did you mean 'steps'?"),
        ("training/base/tokens", 5, "give one of tokens, epochs and steps as the budget; found tokens, steps"),
        ("training/base/lr", 0, "training.base.lr: found 0"),
        ("training/base/min_lr", 1, "min_lr 1 is above lr 0.001"),
        ("training/base/batch_tokens", "auto", "follows from a budget in tokens or epochs, not in steps"),
        ("training/base", {"tokens": 5000, "batch_tokens": "auto", "continues": "base"}, "needs a number as batch_tokens"),
        ("run", {"processes": 2, "cells_per_gpu": 2}, "set one of them to 1"),
        ("training/base/batch_tokens", 1000, "not a multiple of context 128; the nearest that are: 896, 1024"),
        ("corpora/mine", {"source": "file"}, "corpora.mine.source: unknown source 'file'; did you mean 'files'?"),
        ("corpora/mine", {}, "corpora.mine: the key `source` is missing; known: builtin"),
        ("corpora/mine", {"paths": ["a"], "encoding": "auto"}, "corpora.mine: the key `source` is missing; add `source: files`"),
        ("corpora/mine", {"files": "a", "encoding": "auto"}, "corpora.mine: the key `source` is missing; add `source: files`"),
        ("corpora/mine", {"url": "https://a/b"}, "corpora.mine: the key `source` is missing; add `source: url`"),
        ("corpora/mine", {"paths": ["a"], "temperature": 1}, "corpora.mine: the key `source` is missing; known: builtin"),
        ("tokenizers/mine", {"memory": 300}, "tokenizers.mine: the key `kind` is missing; add `kind: bpe`"),
        ("sampling/precision", "bf16", "sampling.precision: found 'bf16'; did you mean 'auto'?"),
        ("evaluation/precision", "bfloat16", "evaluation.precision: found 'bfloat16'; did you mean 'auto'?"),
        ("evaluation/precision", "fp16", "evaluation.precision: found 'fp16'; input should be 'auto' or 'fp32'"),
        ("training/base/precision", "bfloat16", "training.base.precision: found 'bfloat16'; did you mean 'bf16'?"),
        ("training/base/precision", "Float32", "training.base.precision: found 'Float32'; did you mean 'fp32'?"),
        ("name", "mine", "top level: unknown key 'name'; did you mean 'experiment'?"),
        ("training/base/lr", "fast", "training.base.lr: found 'fast', expected a number"),
        ("training/base/steps", 1.5, "training.base.steps: found 1.5, expected a whole number"),
        ("corpora/mine", {"source": "files"}, "give either `paths`"),
        ("corpora/mine", {"source": "url", "url": "https://a/b"}, "give the sha256"),
        ("corpora/mine", {"source": "url", "url": "http://a/b", "sha256": "0" * 64}, "not an https:// address"),
        ("corpora/mine", {"source": "url", "url": [{"url": "file:///b", "sha256": "0" * 64}]}, "not an https:// address; see the key `insecure`"),
        ("corpora/mine", {"source": "url", "url": "ftp://a/b", "sha256": "0" * 64, "insecure": True}, "is not an https:// or http:// or file:// address"),
        ("corpora/mine", {"source": "url", "url": "https://me:pw@a/b", "sha256": "0" * 64}, "an address with a user name or password; set GPTGRID_HEADERS"),
        ("corpora/mine", {"source": "url", "url": "https://a/b", "sha256": "0" * 64, "format": "xml"}, "corpora.mine.format: found 'xml'"),
        ("corpora/mine", {"source": "url", "train": [{"url": "https://a/b", "sha256": "0" * 64, "memebrs": ["a"]}]}, "corpora.mine.train.0: unknown key 'memebrs'; did you mean 'members'?"),
        ("corpora/mine", {"source": "files", "paths": ["a"], "members": []}, "corpora.mine.members: found []"),
        ("corpora/mine", {"source": "hub", "path": "a/b"}, "corpora.mine.revision: this key is missing"),
        ("corpora/mine", {"source": "hub", "path": "a/b", "revision": "main"}, "corpora.mine.revision: found 'main'"),
        ("corpora/mine", {"source": "hub", "path": "a/../b", "revision": "0" * 40}, "corpora.mine.path: found 'a/../b'"),
        ("corpora/mine", {"source": "hub", "path": "a/..", "revision": "0" * 40}, "corpora.mine.path: found 'a/..'"),
        ("corpora/mine", {"source": "hub", "path": "a/b", "revision": "0" * 40, "name": "../c"}, "corpora.mine.name: found '../c'"),
        ("corpora/mine", {"source": "hub", "path": "a/b", "revision": "0" * 40, "splits": {"test": "test"}}, "`splits` has no train"),
        ("corpora/mine", {"source": "hub", "path": "a/b", "revision": "0" * 40, "splits": {"dev": "test"}}, "corpora.mine.splits.dev"),
        ("corpora/a.b", {"source": "builtin"}, "corpora: found 'a.b', expected a name made of A-Z a-z 0-9 _ and -, which does not begin with -; did you mean 'a-b'?"),
        ("corpora/tales/split", {"valid": 0.5, "test": 0.5}, "leave a share for training"),
        ("tokenizers/bpe/vocab_size", 100, "tokenizers.bpe.vocab_size: found 100"),
        ("tokenizers/bpe/train_on", "tale", "corpora: unknown name 'tale'; did you mean 'tales'?"),
        ("grid/0/model", ["big"], "models: unknown name 'big'"),
        ("grid/0/modle", ["small"], "grid[0]: unknown key 'modle'; did you mean 'model'?"),
        ("grid/0/model.n_embd", [64], "did you mean 'd_model'?"),
        ("grid/0/tokenizer", ["ids"], "tokenizer ids (kind ids) is for corpora that bring token ids"),
        ("grid/0/corpus", ["ids"], "corpus ids brings token ids and needs a tokenizer of kind ids"),
        ("grid/0", {"corpus": "ids", "tokenizer": "ids", "model": "small", "training": "base", "training.windows": ["document"]}, "needs end-of-text tokens"),
        ("grid/0", {"corpus": "ids", "tokenizer": "ids", "model": "small", "training": "base", "model.document_mask": [True]}, "`document_mask` needs end-of-text tokens"),
        ("grid/0", {"corpus": "ids", "tokenizer": "ids", "model": "small", "training": "base", "training.eval_bytes": ["2k"]}, "training.eval_bytes is 2000, but corpus ids brings bare ids, which have no bytes; leave"),
        ("grid/0/seed", [-1], "grid[0].seed: found -1"),
        ("grid/0/zip", ["tokenizer", "model"], "the lists must be equally long, but tokenizer has 2, model has 1"),
        ("grid/0/exclude", [{"tokenizer": "char"}, {"tokenizer": "bpe"}], "`exclude` leaves nothing over"),
        ("evaluation/bytes", 0, "evaluation.bytes: found 0"),
        ("evaluation/stride", 512, "evaluation.stride 512 is longer than context 128"),
        ("sampling/decodings", {"g": {"temp": 1}}, "sampling.decodings.g: unknown key 'temp'"),
        ("sampling/temperature", 1, "sampling: unknown key 'temperature'; write it as `sampling.decodings.NAME.temperature`"),
        ("training/base/lr", float("inf"), "training.base.lr: found inf; input should be a finite number"),
        ("training/base/lr", "1,5e-3", "training.base.lr: found '1,5e-3', expected a number; numbers have a point and no commas"),
        ("training/base", {"steps": 10, "lr": 1, 5e-3: None}, "training.base: found the key 0.005, expected text; "),
        ("models/small/n_layer", float("nan"), "models.small.n_layer: found nan"),
        ("models/small/n_layr", 2, "models.small: unknown key 'n_layr'"),
        ("models/small/n_layer", True, "models.small: n_layer: found true, expected a number"),
        ("models", {None: {}}, 'models: found the key null, expected text; put a name in quotes, "null"; '),
        ("models", {True: {}}, 'models: found the key true, expected text; put a name in quotes, "true"; '),
        ("models", {date(2024, 1, 2): {}}, 'models: found the key 2024-01-02, expected text; put a name in quotes, "2024-01-02"; '),
        ("models/my model", {}, "models: found 'my model', expected a name made of A-Z a-z 0-9 _ and -, which does not begin with -; did you mean 'my-model'?"),
        ("models/a\n", {}, "models: found 'a\\n', expected a name made of"),
        ("models/-small", {}, "models: found '-small', expected a name made of A-Z a-z 0-9 _ and -, which does not begin with -; did you mean 'small'?"),
        ("experiment", "-x", "experiment: found '-x', expected a name made of"),
        ("models/模型", {}, "models: found '模型', expected a name made of"),
        ("models/small", None, "models.small: expected keys, found nothing"),
        ("experiment", "my exp", "experiment: found 'my exp', expected a name made of A-Z a-z 0-9 _ and -"),
        ("experiment", 2024, 'experiment: found 2024, expected text; put it in quotes: "2024"'),
        ("experiment", None, "experiment: found nothing, expected text"),
        ("experiment", True, 'experiment: found true, expected text; put it in quotes: "true"'),
        ("corpora/mine", {"source": "files", "paths": "a.txt", "members": "*.txt"}, 'corpora.mine.members: found \'*.txt\', expected a list: ["*.txt"]'),
        ("corpora/mine", {"source": None}, "corpora.mine.source: found nothing, expected one of builtin, url"),
        ("corpora/mine", {"source": "files", "paths": ["a"], "document": "lines"}, "found 'lines', which would be a delimiter; did you mean 'line'?"),
        ("corpora/mine", {"source": "files", "paths": ["a"], "document": "Blank_Lines"}, "did you mean 'blank-line'?"),
        ("corpora/mine", {"source": "files", "paths": ["a"], "document": "recrod"}, "did you mean 'record'?"),
        ("corpora/mine", {"source": "files", "paths": ["a"], "document": "page"}, "found 'page', a word that would be taken out of the text"),
        ("corpora/mine", {"source": "files", "paths": ["a"], "document": r"\n\n"}, r'YAML reads line ends in double quotes: "\n\n"'),
        ("corpora/tales/split", {"train": 0.8, "valid": 0.1, "test": 0.1}, "corpora.tales.split: `train` is what valid and test leave over"),
        ("corpora/tales/split", [0.8, 0.1, 0.1], "corpora.tales.split: found [0.8, 0.1, 0.1], expected keys"),
        ("corpora/tales/license", 4.0, 'corpora.tales.license: found 4.0, expected text; put it in quotes: "4.0"'),
        ("corpora/mine", {"source": "hub", "path": "a/b", "revision": "main"}, "`History` lists its commits"),
        ("corpora/mine", {"source": "hub", "path": "https://a/b", "revision": "0" * 40}, "expected OWNER/NAME, such as Salesforce/wikitext"),
        ("corpora/mine", {"source": "url", "url": "https://a/b", "sha256": "x"}, "expected a sha256: 64 digits of 0-9 a-f"),
        ("sampling/prompts", "Once", 'sampling.prompts: found \'Once\', expected a list: ["Once"]'),
        ("sampling/prompts", [1984], 'sampling.prompts.0: found 1984, expected text; put it in quotes: "1984"'),
        ("sampling/prompts", ["a", "\ud800"], "sampling.prompts.1: found half a surrogate pair, which no UTF-8 text can hold"),
        ("sampling/decodings", {"\ud800": {}}, "sampling.decodings: found half a surrogate pair"),
        ("run", None, "run: found nothing, expected keys"),
        ("run/store", "", "run.store: found ''"),
        ("training/base/betas", 0.9, "training.base.betas: found 0.9, expected a list of numbers"),
        ("training/base/warmup", "5%", "a share is written as a number: 0.05"),
        ("training/base/warmup", "5 %", "a share is written as a number: 0.05"),
        ("grid/0/seed", "1-3", "grid[0].seed: found '1-3', expected whole numbers from 0: [1, 2, 3]"),
        ("models/small", [], "models.small: expected keys, found []"),
        ("models", {2024: {}}, 'models: found the key 2024, expected text; put a name in quotes, "2024"; '),
        ("training/base/batch_tokens", "many", "training.base.batch_tokens: found 'many'; input should be 'auto'"),
    ],
)  # fmt: skip
def test_error_names_file_key_and_remedy(path: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigError) as failure:
        cells_of(Configuration(broken(path, value), "my.yaml"))
    assert str(failure.value).startswith("my.yaml: ")
    assert expected in str(failure.value)


def test_good_configuration_is_accepted() -> None:
    names = [cell.name for cell in cells_of(Configuration(GOOD, "my.yaml"))]
    assert names == ["tales.char.small.base.s1", "tales.bpe.small.base.s1"]


def test_files_on_the_web_have_their_own_reading_or_that_of_the_corpus() -> None:
    one, two = ({"url": f"{scheme}://a/b", "sha256": "0" * 64} for scheme in ("http", "file"))
    keys = {"insecure": True, "members": ["*.txt"], "format": "csv", "max_bytes": "2G"}
    corpus = {"source": "url", "train": [one, {**two, "format": "text", "field": "b"}], **keys}
    configuration = Configuration(broken("corpora/mine", corpus), "my.yaml")
    files = configuration.entry("corpora", "mine").files()
    assert [file.slice() for file in files["train"]] == [
        {**one, "members": ["*.txt"], "format": "csv", "field": None},
        {**two, "members": ["*.txt"], "format": "text", "field": "b"},
    ]
    single = {"source": "url", **one, **keys}
    configuration = Configuration(broken("corpora/mine", single), "my.yaml")
    assert configuration.entry("corpora", "mine").files()["all"][0].format == "csv"


@pytest.mark.parametrize(
    ("section", "more"),
    [
        (FilesCorpus, {"source": "files"}),
        (ShardsCorpus, {"source": "shards", "vocab_size": 9}),
        (FilesDialogues, {"source": "files"}),
    ],
)
def test_own_files_are_named_alike_everywhere(section: type, more: dict) -> None:
    assert section(**more, paths="a").files() == {"all": ["a"]}
    assert section(**more, train=["a", "b"], test="c").files() == {"train": ["a", "b"], "test": ["c"]}
    with pytest.raises(ValueError, match="`valid` and `test` go with `train`, not with `paths`"):
        section(**more, paths=["a"], test=["c"])


def test_data_sets_of_the_hub() -> None:
    corpus = {"source": "hub", "path": "Salesforce/wikitext", "name": "wikitext-2-v1", "revision": "0" * 40}
    found = Configuration(broken("corpora/mine", corpus), "my.yaml").entry("corpora", "mine")
    assert found.splits == {"train": "train", "valid": "validation", "test": "test"} and found.field == "text"


def test_yaml_reads_numbers_as_people_mean_them(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    text = json.dumps({**GOOD, "training": {"base": {"tokens": "2M", "lr": 0.5}}}).replace("0.5", "1e-3")
    file.write_text(text)
    training = load([file]).entry("training", "base")
    assert (training.lr, training.tokens) == (1e-3, 2_000_000)


def test_quick_changes_values_and_the_experiment(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        json.dumps({**GOOD, "quick": {"training.base.steps": 3, "training": {"base": {"lr": 0.5}}}})
    )
    assert load([file]).entry("training", "base").steps == 10
    quick = load([file], {"quick": True})
    assert (quick.entry("training", "base").steps, quick.entry("training", "base").lr) == (3, 0.5)
    assert quick.experiment.experiment == "default-quick"


def test_what_a_later_file_says_goes_over_the_quick_section_of_an_earlier_one(tmp_path: Path) -> None:
    """An exercise is a line over a recipe, whose quick form has a grid of its own."""
    recipe, exercise = tmp_path / "recipe.yaml", tmp_path / "mine.yaml"
    smaller = {"training": {"base": {"steps": 3}}, "grid": [{"seed": [7]}]}
    recipe.write_text(json.dumps({**GOOD, "quick": smaller}))
    exercise.write_text("grid: [{seed: [8, 9]}]")
    quick = load([recipe, exercise], {"quick": True})
    assert quick.experiment.grid == [{"seed": [8, 9]}]
    assert quick.entry("training", "base").steps == 3
    exercise.write_text("grid: [{seed: [8, 9]}]\nquick: {training: {base: {steps: 4}}}")
    quick = load([recipe, exercise], {"quick": True})
    assert (quick.experiment.grid, quick.entry("training", "base").steps) == ([{"seed": [8, 9]}], 4)
    assert load([recipe], {"quick": True}).experiment.grid == [{"seed": [7]}]


@pytest.mark.parametrize(
    ("later", "keys"),
    [
        ({"training": {"base": {"steps": 9}}}, "training.base.steps"),
        ({"training": {"base": {"tokens": "1k"}}, "grid": [{"seed": [8]}]}, "training.base.steps"),
        ({"training": {"base": {"steps": 3, "lr": 0.1}}}, None),
        ({"training": {"base": {"steps": 9}}, "quick": {"training": {"base": {"steps": 4}}}}, None),
        ({"quick": {"training": {"base": {"tokens": "1k"}}}}, None),
    ],
)
def test_keys_of_quick_that_a_later_file_overrides_are_named(tmp_path: Path, later: dict, keys: str) -> None:
    first, last = tmp_path / "first.yaml", tmp_path / "last.yaml"
    smaller = {"experiment": "small", "training": {"base": {"steps": 3}}, "grid": [{"seed": [7]}]}
    first.write_text(json.dumps({**GOOD, "quick": smaller}))
    last.write_text(json.dumps(later))
    said = load([first, last], {"quick": True, "training.base.lr": 0.2}).cautions
    assert said == (
        [f"A later file overrides {keys} of the section `quick`; give it a section `quick`, too"]
        if keys
        else []
    )
    assert load([first, last]).cautions == []


def test_quick_keeps_a_budget_of_its_own_unit(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(json.dumps({**GOOD, "quick": {"training": {"base": {"tokens": "1k"}}}}))
    base = load([file], {"quick": "true"}).entry("training", "base")
    assert (base.tokens, base.steps) == (1000, None)


@pytest.mark.parametrize(
    ("quick", "expected"),
    [
        (None, "--config: quick: found nothing, expected true or false; say `quick=true`"),
        ("", "--config: quick: found nothing, expected true or false; say `quick=true`"),
        (1, "--config: quick: found 1, expected true or false; say `quick=true`"),
        ("yes", "--config: quick: found 'yes', expected true or false; say `quick=true`"),
        (
            True,
            "a.yaml has no section `quick`, which says what to change; add one, or leave `quick=true` out",
        ),
    ],
)
def test_quick_without_sense_is_refused(good_file: Path, quick: object, expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        load([good_file], {"quick": quick})


def test_a_file_without_a_section_quick_leaves_that_of_another(tmp_path: Path) -> None:
    first, last = tmp_path / "first.yaml", tmp_path / "last.yaml"
    first.write_text(json.dumps({**GOOD, "quick": {"training": {"base": {"steps": 3}}}}))
    last.write_text("quick: {}\n")
    for paths in ([first], [first, last], [last, first]):
        assert load(paths, {"quick": True}).entry("training", "base").steps == 3


@pytest.mark.parametrize("quick", [False, "false"])
def test_quick_false_changes_nothing(good_file: Path, quick: object) -> None:
    assert load([good_file], {"quick": quick}).experiment == load([good_file]).experiment


@pytest.mark.parametrize(
    "settings",
    [
        {"models.small.n_layer": 3, "models.small.bias": False, "models.small.d_ff": None},
        {"models": {"small": {"n_layer": 3, "bias": False, "d_ff": None}}},
        # Snakemake reads nested values as text.
        {"models": {"small": {"n_layer": "3", "bias": "false", "d_ff": "null"}}},
        {"models.small.n_layer": "3", "models.small": {"bias": "false"}},
        {"models": {"small": {"n_layer": 9, "bias": False}}, "models.small.n_layer": 3},
        {"models.small.n_layer": 9, "models": {"small": {"n_layer": 3, "bias": False}}},
    ],
    ids=str,
)
def test_settings_change_values_and_later_ones_win(good_file: Path, settings: dict) -> None:
    small = load([good_file], settings).entry("models", "small")
    assert (small.n_layer, small.bias, small.d_ff, small.d_model) == (3, False, 256, 64)


def test_settings_hold_grids_texts_and_budgets(good_file: Path) -> None:
    block = {"corpus": "tales", "tokenizer": "char", "model": "small", "training": "base"}
    settings = {
        "grid": [{**block, "training.lr": ["1e-3", "2e-3"], "seed": ["1", "2"]}],
        "sampling.prompts": ["", "It: was"],
        "training.base.tokens": "2M",
    }
    configuration = load([good_file], settings)
    assert [cell.name.split("base")[1] for cell in cells_of(configuration)] == [
        "+lr=0.001.s1", "+lr=0.001.s2", "+lr=0.002.s1", "+lr=0.002.s2",
    ]  # fmt: skip
    assert configuration.experiment.sampling.prompts == ["", "It: was"]
    assert configuration.entry("training", "base").steps is None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"modles.small.n_layer": 3}, "--config: top level: unknown key 'modles'; did you mean 'models'?"),
        ({"models.smal.n_layer": 3}, "--config: models: unknown name 'smal'; did you mean 'small'?"),
        ({"models": {"small": {"n_layr": "3"}}}, "--config: models.small: unknown key 'n_layr'; did you mean 'n_layer'?"),
        ({"models.small.n_layer": "two"}, "--config: models.small.n_layer: found 'two'"),
        ({"models.small.n_head": 3}, "--config: models.small: n_head 3 does not divide d_model 64"),
        ({"models.wide.base": "smal"}, "--config: models.wide.base: unknown name 'smal'; did you mean 'small'?"),
        ({"run.device": "gpu"}, "--config: run.device: found 'gpu'"),
        ({"sampling.prompts": ["a", 1984]}, "--config: sampling.prompts.1: found 1984"),
        ({"grid": [{"modl": "small"}]}, "--config: grid[0]: unknown key 'modl'; did you mean 'model'?"),
        ({"grid": []}, "--config: grid: found []"),
    ],
)  # fmt: skip
def test_errors_in_settings_name_the_command_line(good_file: Path, settings: dict, expected: str) -> None:
    with pytest.raises(ConfigError) as failure:
        cells_of(load([good_file], settings))
    assert str(failure.value).startswith(expected)


def test_errors_in_a_file_name_the_file_beside_settings(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(json.dumps(broken("models/wide/n_layr", 3)))
    with pytest.raises(ConfigError, match=r"a\.yaml: models\.wide: unknown key 'n_layr'"):
        load([file], {"models.small.n_layer": 3})


def test_an_error_of_a_base_is_reported_there() -> None:
    data = {**GOOD, "models": {"wide": {"base": "small"}, "small": {"n_layr": 2}}}
    with pytest.raises(ConfigError, match=r"my\.yaml: models\.small: unknown key 'n_layr'"):
        Configuration(data, "my.yaml")


def test_base_inherits_and_a_budget_replaces_the_budget() -> None:
    configuration = Configuration(GOOD, "my.yaml")
    wide = configuration.entry("models", "wide")
    assert (wide.n_layer, wide.d_model, wide.norm) == (2, 128, "rmsnorm")
    long = configuration.entry("training", "long")
    assert (long.steps, long.tokens) == (None, 2_000_000)


def test_derived_values() -> None:
    assert Model(d_model=128, n_head=4).d_ff == 512
    # 8/3 · 128 = 341.3, rounded up to a multiple of 8.
    assert Model(preset="llama", d_model=128, n_head=4).d_ff == 344
    assert Model(n_head=4).n_kv_head == 4
    assert Training(steps=1, lr=3e-3).min_lr == pytest.approx(3e-4)


def test_generated_reference_and_schema_are_in_step() -> None:
    assert reference.REFERENCE.read_text() == reference.reference(), "run `make docs`"
    assert json.loads(reference.SCHEMA.read_text()) == reference.schema(), "run `make docs`"


def test_every_key_is_documented() -> None:
    undocumented = [line for line in reference.reference().splitlines() if line.endswith("|  |")]
    assert not undocumented


@pytest.mark.parametrize("path", sorted(ROOT.glob("config/**/*.yaml")), ids=lambda path: path.name)
def test_configurations_that_come_with_the_project_are_valid(path: Path) -> None:
    assert cells_of(load([path]))


@pytest.mark.parametrize(
    "switches",
    [
        {"norm": "rmsnorm"},
        {"norm_gain": False},
        {"position": "alibi"},
        {"activation": "swiglu"},
        {"qk_norm": True},
        {"logit_softcap": 5.0},
        {"n_kv_head": 2},
        {"document_mask": True},
        {"residual_mix": True},
        {"parametrization": "mup"},
        {"window": 8},
        {"window_pattern": "SL", "window": 8},
    ],
    ids=str,
)
def test_the_encoder_refuses_by_name_what_it_lacks(switches: dict) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(switches))} .* is not in nn.TransformerEncoder"):
        Model(preset="encoder", **switches)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("training.base.eval_every", "epochs", "found 'epochs'; input should be 'epoch'; or expected a whole number without commas"),
        ("training.base.sample_every", 0, "found 0; input should be 'epoch'; or input should be greater than 0"),
        ("training.base.weight_decay", -1, "found -1; input should be 'auto'; or input should be greater than or equal"),
        ("run.compile", "maybe", "found 'maybe'; input should be 'auto'; or input should be a valid boolean"),
    ],
)  # fmt: skip
def test_a_value_of_several_types_is_told_once_where_it_was_given(
    good_file: Path, key: str, value: object, expected: str
) -> None:
    settings: dict = {}
    *parents, last = key.split(".")
    inner = settings
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    with pytest.raises(ConfigError) as error:
        load([good_file], settings)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"--config: {key}: {expected}")
