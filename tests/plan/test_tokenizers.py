"""What a tokenizer and the marks of a corpus mean for the artifacts of a plan."""

import json

import pytest
from making import plan_of

from gptgrid.config.read import ConfigError


def config(marks: str | None = None, **tokenizer: object) -> dict:
    corpus = {"source": "files", "paths": ["text.txt"], "shards": 2, **({"marks": marks} if marks else {})}
    return {
        "corpora": {"mine": corpus},
        "tokenizers": {"mine": {"kind": "char", **tokenizer}},
        "models": {"small": {"n_layer": 1, "d_model": 16, "n_head": 1}},
        "training": {"base": {"steps": 1}},
        "grid": [{"corpus": "mine", "tokenizer": "mine", "model": "small", "training": "base"}],
    }


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GPTGRID_STORE", str(tmp_path / "store"))
    (tmp_path / "text.txt").write_text("one\n\ntwo\n\nthree\n")
    return tmp_path


def keys(settings: dict) -> dict[str, str]:
    plan = plan_of(settings)
    return {artifact.folder: plan.keys[artifact] for artifact in plan.requests}


def test_marks_change_what_reads_the_text_and_not_the_corpus() -> None:
    unset, text, special = (keys(config(marks)) for marks in (None, "text", "special"))
    assert unset == text
    changed = {folder for folder in text if text[folder] != special[folder]}
    assert "data/corpora/mine" not in changed
    assert {
        "data/tokenizers/mine@mine",
        "data/shards/mine@mine",
        "data/shards/mine@mine/shard-00000",
    } <= changed


def test_a_tokenizer_file_may_be_written_in_any_way(folder) -> None:
    (folder / "tokenizer.json").write_text(json.dumps({}))
    found = {
        json.dumps(keys(config(kind="huggingface", file=name)))
        for name in ("tokenizer.json", "./tokenizer.json", "token*.json")
    }
    assert len(found) == 1
    plan = plan_of(config(kind="huggingface", file="./tokenizer.json"))
    [artifact] = [artifact for artifact in plan.requests if artifact.stage == "tokenizer"]
    assert artifact.config["file"] in artifact.raw


def test_several_tokenizer_files_are_refused(folder) -> None:
    for name in ("a.json", "b.json"):
        (folder / name).write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizers.mine.file: '\*.json' names 2 files; name the one"):
        plan_of(config(kind="huggingface", file="*.json"))
