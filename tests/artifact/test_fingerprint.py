"""A fingerprint changes with what can change a result, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from gptgrid.artifact import fingerprint as source

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package named like ours, with a script on top of it."""
    package = tmp_path / "src" / "gptgrid"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "deep" / "__init__.py").touch()
    (package / "used.py").write_text(
        '"""Doc."""\nfrom gptgrid.deep import inner\n\n\ndef f():\n    """Doc."""\n    return 1\n'
    )
    (package / "deep" / "inner.py").write_text("X = 1\n")
    (package / "unused.py").write_text("Y = 1\n")
    (package / "typing_only.py").write_text("Z = 1\n")
    script = tmp_path / "script.py"
    script.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from gptgrid.typing_only import Z\n"
        "def main():\n    import gptgrid.used\n"
    )
    monkeypatch.setattr(source, "ROOT", tmp_path / "src")
    clear_caches()
    yield tmp_path
    clear_caches()


def clear_caches() -> None:
    for function in (source.module_file, source.sources):
        function.cache_clear()


def fingerprint(project: Path) -> str:
    clear_caches()
    return source.fingerprint(project / "script.py")


def test_closure_reaches_imports_of_imports_and_no_further(project: Path) -> None:
    found = source.closure(project / "script.py")
    assert sorted(found) == [
        "gptgrid",
        "gptgrid.deep",
        "gptgrid.deep.inner",
        "gptgrid.used",
        "scripts/script.py",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("used.py", '"""Doc."""\nfrom', '"""Another."""\n# A comment.\n\nfrom'),
        ("used.py", '    """Doc."""\n', ""),
        ("used.py", "return 1", "return (1)  # why"),
        ("unused.py", "Y = 1", "Y = 2"),
        ("typing_only.py", "Z = 1", "Z = 2"),
    ],
)
def test_what_cannot_change_a_result_is_no_change(project: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(project)
    edit(project / "src" / "gptgrid" / file, old, new)
    assert fingerprint(project) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("used.py", "return 1", "return 2"),
        ("used.py", "return 1", "return 1.0"),
        ("used.py", "return 1", "return True"),
        ("used.py", "return 1", "return None"),
        ("used.py", "return 1", "return"),
        ("deep/inner.py", "X = 1", "X = '1'"),
        ("deep/__init__.py", "", "W = 1\n"),
    ],
)
def test_what_can_change_a_result_is_a_change(project: Path, file: str, old: str, new: str) -> None:
    before = fingerprint(project)
    edit(project / "src" / "gptgrid" / file, old, new)
    assert fingerprint(project) != before


def test_none_and_an_absent_value_differ(project: Path) -> None:
    edit(project / "src" / "gptgrid" / "used.py", "return 1", "return")
    nothing = fingerprint(project)
    edit(project / "src" / "gptgrid" / "used.py", "return", "return None")
    assert fingerprint(project) != nothing


def test_moving_the_checkout_is_no_change(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(project)
    moved = project / "elsewhere"
    shutil.copytree(project / "src", moved / "src")
    shutil.copy(project / "script.py", moved / "script.py")
    monkeypatch.setattr(source, "ROOT", moved / "src")
    assert fingerprint(moved) == before


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else new)


@pytest.mark.parametrize(
    ("stage", "inside", "outside"),
    [
        ("train", "gptgrid.stages.train.trainer", "gptgrid.stages.evaluate"),
        ("report", "gptgrid.artifact.program", "gptgrid.model"),
        ("corpus", "gptgrid.text.documents", "gptgrid.config"),
    ],
)
def test_stages_of_the_workflow(stage: str, inside: str, outside: str) -> None:
    found = source.closure(ROOT / "workflow" / "scripts" / f"{stage}.py")
    assert inside in found
    assert not any(name == outside or name.startswith(f"{outside}.") for name in found)
