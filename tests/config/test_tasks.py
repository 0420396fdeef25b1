"""A task names its files in one way, and unset it changes no identity."""

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.config.experiment import Evaluation
from gptgrid.config.grid import cells_of
from gptgrid.config.read import Configuration

BASE = {
    "corpora": {"toy": {"source": "builtin"}},
    "tokenizers": {"bytes": {"kind": "bytes"}},
    "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 16}},
    "training": {"base": {"steps": 1, "batch_tokens": 64}},
    "grid": [{}],
}
MINE = {"source": "files", "paths": ["a.jsonl"], "format": "choice"}
SUM = "0" * 64
WEB = {"source": "url", "url": "https://host/BLiMP.zip", "sha256": SUM, "format": "minimal-pairs"}


def read(**tasks):
    return Configuration({**BASE, "evaluation": {"tasks": tasks}}, "my.yaml").experiment.evaluation.tasks


def test_without_tasks_nothing_is_another():
    assert "tasks" not in Evaluation().slice()


def test_one_pattern_needs_no_list():
    tasks = read(blimp={**WEB, "members": "data/*.jsonl"}, mine={**MINE, "paths": "a.jsonl"})
    assert (tasks["blimp"].members, tasks["mine"].paths) == (["data/*.jsonl"], ["a.jsonl"])


@pytest.mark.parametrize(
    ("name", "task", "expected"),
    [
        ("blimp", {**WEB, "sha256": None}, "evaluation.tasks.blimp: `source: url` takes `url` and `sha256`"),
        ("blimp", {**WEB, "url": "http://host/a"}, "'http://host/a' is not an https:// address"),
        ("mine", {**MINE, "url": "https://host/a"}, "`source: files` takes `paths`, and neither `url` nor"),
        ("mine", {**MINE, "paths": None}, "evaluation.tasks.mine: `source: files` takes `paths`"),
        ("mine", {**MINE, "paths": []}, "evaluation.tasks.mine.paths: found []"),
        ("mine", {**MINE, "format": "pairs"}, "evaluation.tasks.mine.format: found 'pairs'; input should be"),
        ("mine", {"source": "files", "paths": ["a"]}, "evaluation.tasks.mine.format: this key is missing"),
        ("mine", {**MINE, "formt": "choice"}, "unknown key 'formt'; did you mean 'format'?"),
        ("my task", MINE, "evaluation.tasks.my task: found 'my task', expected a name made of A-Z a-z"),
        ("tales", MINE, "`tales` is what the questions of that corpus are called; take another name"),
    ],
)
def test_what_cannot_be_used_is_named(name, task, expected):
    with pytest.raises(UserError) as failure:
        read(**{name: task})
    assert expected in str(failure.value)


def test_bare_ids_have_no_texts_to_compare():
    noise = {"noise": {"source": "random", "vocab_size": 9, "tokens": 900}}
    config = {
        **BASE,
        "corpora": noise,
        "tokenizers": {"ids": {"kind": "ids"}},
        "evaluation": {"tasks": {"m": MINE}},
    }
    with pytest.raises(UserError, match=r"evaluation\.tasks are texts, but corpus noise brings bare ids"):
        cells_of(Configuration(config, "my.yaml"))
