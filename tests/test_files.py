"""What is remembered of files is what the files say."""

import os
from pathlib import Path

import pytest

from gptgrid.files import Remembered


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that were really read; the test runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return []


def remembered(asked: list[str], version: str = "") -> Remembered:
    def work(path: Path) -> str:
        asked.append(path.name)
        return path.read_text()

    return Remembered("texts.json", work, version)


def test_a_file_is_read_once_by_all_programs(asked: list[str]) -> None:
    file = Path("a.txt")
    file.write_text("one")
    first = remembered(asked)
    assert first.of(file) == "one"
    assert first.of(file) == "one"
    first.save()
    assert remembered(asked).of(file) == "one"
    assert asked == ["a.txt"]


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_a_changed_file_is_read_again(asked: list[str], change: str) -> None:
    file = Path("a.txt")
    file.write_text("one")
    before = file.stat()
    first = remembered(asked)
    first.of(file)
    first.save()
    text = "three" if change == "size" else "two"
    if change == "inode":
        Path("b.txt").write_text(text)
        Path("b.txt").rename(file)
    else:
        file.write_text(text)
    later = before.st_mtime_ns + (change == "time")
    os.utime(file, ns=(before.st_atime_ns, later))
    assert remembered(asked).of(file) == text


def test_another_version_of_the_function_forgets(asked: list[str]) -> None:
    file = Path("a.txt")
    file.write_text("one")
    first = remembered(asked)
    first.of(file)
    first.save()
    remembered(asked, "2").of(file)
    assert asked == ["a.txt", "a.txt"]


def test_a_damaged_memory_is_an_empty_one(asked: list[str]) -> None:
    file = Path("a.txt")
    file.write_text("one")
    first = remembered(asked)
    first.of(file)
    first.save()
    first.path.write_text('{"version"')
    assert remembered(asked).of(file) == "one"
