"""What a store holds, who uses it, and what may go."""

import io
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner
from workshop import Workshop

from gptgrid.artifact.garbage import garbage
from gptgrid.artifact.roots import register
from gptgrid.cli.main import app
from gptgrid.plan.show_store import show_garbage, show_store


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A store with two corpora, of which an experiment used one two hours ago."""
    workshop = Workshop(tmp_path)
    used, unused = workshop.request("used"), workshop.request("unused")
    for request in (used, unused):
        workshop.make(request)
        workshop.store.write_request(request)
    root = replace(workshop.root("small", used), owner="anna", host="node-7", time=time.time() - 7200)
    register(workshop.store, root).release()
    return workshop


def said(show, *arguments) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(*arguments, console)
    return console.file.getvalue()


def gc(workshop: Workshop, *options: str, **more: str):
    return CliRunner().invoke(app, ["store", "gc", "--store", str(workshop.store.root), *options], **more)


def corpora(workshop: Workshop) -> int:
    return len(list(workshop.store.root.glob("corpus/*/manifest.json")))


def test_a_store_is_listed_with_who_uses_what(workshop: Workshop) -> None:
    lines = said(show_store, workshop.store).splitlines()
    users = [line.split()[4:] for line in lines if line.startswith("corpus")]
    assert sorted(users) == [[], ["anna:", f"{Path.cwd()},", "small"]]
    assert any(line.endswith("2 artifacts, 0.0 MB") for line in lines)
    assert lines[-1].split() == ["small", str(Path.cwd()), "anna", "node-7", "2", "h", "ago"]


def test_garbage_says_why_and_what_keeps_the_rest(workshop: Workshop) -> None:
    text = said(show_garbage, workshop.store, garbage(workshop.store))
    folder = workshop.folder(workshop.request("unused"))
    assert [line.split()[0] for line in text.splitlines() if "no experiment uses it" in line] == [str(folder)]
    assert "1 folder, " in text
    assert "anna" in text


def test_a_question_is_asked_before_anything_goes(workshop: Workshop) -> None:
    assert gc(workshop, "--dry-run").exit_code == 0
    assert gc(workshop, input="n\n").exit_code == 1
    assert corpora(workshop) == 2
    result = gc(workshop, input="y\n")
    assert (result.exit_code, corpora(workshop)) == (0, 1)
    assert "deleted 1 folder, " in result.output
    assert workshop.folder(workshop.request("used")).is_dir()
    unused = workshop.request("unused")
    assert workshop.store.request("corpus", unused.key) is None
    result = gc(workshop)
    assert "Delete them?" not in result.output
    assert result.exit_code == 0


def test_yes_asks_nothing(workshop: Workshop) -> None:
    result = gc(workshop, "--yes")
    assert (result.exit_code, corpora(workshop)) == (0, 1)
    assert "Delete them?" not in result.output


def test_unfinished_work_goes_only_on_request_and_never_while_it_is_locked(workshop: Workshop) -> None:
    store = workshop.store
    for name in ("running", "killed"):
        (store.root / "train" / f"{name}.partial").mkdir(parents=True)
    with store.lock("train", "running"):
        gc(workshop, "--yes")
        assert len(list(store.root.glob("*/*.partial"))) == 2
        gc(workshop, "--yes", "--unfinished")
        assert [path.name for path in store.root.glob("*/*.partial")] == ["running.partial"]


def test_a_read_only_store_is_shown_and_not_pruned(workshop: Workshop, monkeypatch) -> None:
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode, **rest: mode != os.W_OK and access(path, mode, **rest)
    )
    assert gc(workshop, "--dry-run").exit_code == 0
    result = gc(workshop, input="y\n")
    assert "cannot be written, so nothing of it can be deleted from here; ask its owner" in str(
        result.exception
    )
    assert "Delete them?" not in result.output
    assert corpora(workshop) == 2


@pytest.mark.parametrize("command", ["list", "gc"])
def test_no_store_is_said(tmp_path: Path, command: str) -> None:
    result = CliRunner().invoke(app, ["store", command, "--store", str(tmp_path / "nowhere")])
    assert "there is no store" in str(result.exception)
    assert not (tmp_path / "nowhere").exists()
