"""A task is an input of evaluations alone."""

import json
from pathlib import Path

import pytest
from making import make, plan_of

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.fingerprint import closure
from gptgrid.plan.plan import SCRIPTS

CONFIG = {
    "corpora": {"toy": {"source": "builtin", "documents": 40}},
    "tokenizers": {"bytes": {"kind": "bytes"}},
    "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 16}},
    "training": {"base": {"steps": 1, "batch_tokens": 64}},
    "grid": [{}],
}
MINE = {"source": "files", "paths": ["mine.jsonl"], "format": "choice"}
CELL = "results/default/cells/toy.bytes.small.base.s1"


def with_tasks(**tasks):
    return {**CONFIG, "evaluation": {"tasks": tasks}}


def write(*rows):
    Path("mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def item(prompt):
    return {"prompt": prompt, "answer": "yes", "wrong": ["no", "never"]}


def keys(config):
    plan = plan_of(config)
    return {folder: plan.keys[artifact] for folder, artifact in plan.artifacts.items()}


def changed(one, other):
    return {folder for folder in one.keys() & other.keys() if one[folder] != other[folder]}


def test_a_task_evaluates_again_and_trains_nothing():
    write(item("Is it? "))
    evaluated = {f"{CELL}/evaluate", "results/default/compare", "results/default/report"}
    without, before = keys(CONFIG), keys(with_tasks(mine=MINE))
    assert before.keys() - without.keys() == {"data/tasks/mine"}
    assert changed(without, before) == evaluated
    write(item("Is it not? "))
    after = keys(with_tasks(mine=MINE))
    assert changed(before, after) == {*evaluated, "data/tasks/mine"}
    renamed = keys(with_tasks(ours=MINE))
    assert renamed["data/tasks/ours"] == after["data/tasks/mine"]
    assert changed(after, renamed) == evaluated


def test_evaluations_answer_and_tables_say_how_well():
    write(item("Is it? "), item("Was it? "))
    plan = make(with_tasks(mine=MINE))
    assert all(plan.there.values())
    found = json.loads(Path(CELL, "evaluate/evaluation.json").read_text())["tasks"]
    assert found.keys() == {"mine"}
    assert (found["mine"]["items"], found["mine"]["chance"]) == (2, pytest.approx(1 / 3))
    header, row = Path("results/default/compare/summary.csv").read_text().splitlines()[:2]
    cells = dict(zip(header.split(","), row.split(","), strict=False))
    assert float(cells["task_mine"]) == found["mine"]["accuracy"]
    assert float(cells["chance_mine"]) == found["mine"]["chance"]
    assert "task_mine_mean" in Path("results/default/compare/comparison.csv").read_text()


def test_how_items_are_read_is_no_cause_for_reading_a_corpus_again():
    def covers(*names):
        parts = closure(SCRIPTS / "corpus.py", frozenset(names)).parts
        return any("write_items" in part for part in parts)

    assert not covers("builtin", "files") and covers("files", "choice")


def test_an_address_is_kept_without_its_query():
    url = "https://host/items.jsonl?signature=secret"
    plan = plan_of(with_tasks(web={"source": "url", "url": url, "sha256": "0" * 64, "format": "cloze"}))
    task = plan.artifacts["data/tasks/web"]
    assert "secret" not in json.dumps([request.to_json() for request in plan.requests.values()])
    assert task.addresses == {"0" * 64: url}


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"my\.yaml: evaluation\.tasks\.mine: no file matches 'mine\.jsonl'"):
        plan_of(with_tasks(mine=MINE))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "Is it? ", "answer": "yes"}, r"mine\.jsonl, line 2 has no field 'wrong'"),
        (item("Is it"), r"mine\.jsonl, line 2: prompt and answer would become one word"),
    ],
)
def test_a_bad_line_is_said_before_anything_runs(row, said, capsys):
    write(item("Is it? "), row)
    with pytest.raises(UserError, match=rf"^my\.yaml: evaluation\.tasks\.mine: {said}"):
        plan_of(with_tasks(mine=MINE))
    assert capsys.readouterr().out == ""


def test_items_that_were_made_are_not_read_again(monkeypatch):
    write(item("Is it? "))
    make(with_tasks(mine=MINE), "corpus")
    monkeypatch.setattr("gptgrid.plan.plan.check_items", lambda *_: pytest.fail("read"))
    plan_of(with_tasks(mine=MINE))
