"""What is remembered of files is what the files say."""

import os
from pathlib import Path

import pytest

from gptgrid.artifact.files import Remembered

FILE = Path("a.txt")


class Reader:
    """Programs that read texts and remember them."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def begin(self, version: str = "") -> Remembered:
        """Return what a program that begins now remembers."""
        return Remembered("texts.json", self.work, version)

    def work(self, path: Path) -> str:
        self.read.append(path.name)
        return path.read_text()


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """One program has read the file, and has ended."""
    monkeypatch.chdir(tmp_path)
    FILE.write_text("one")
    reader = Reader()
    first = reader.begin()
    assert first.of(FILE) == first.of(FILE) == "one"
    first.save()
    return reader


def test_a_file_is_read_once_by_all_programs(reader: Reader) -> None:
    assert reader.begin().of(FILE) == "one"
    assert reader.read == ["a.txt"]


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_a_changed_file_is_read_again(reader: Reader, change: str) -> None:
    before = FILE.stat()
    text = "three" if change == "size" else "two"
    if change == "inode":
        Path("b.txt").write_text(text)
        Path("b.txt").rename(FILE)
    else:
        FILE.write_text(text)
    os.utime(FILE, ns=(before.st_atime_ns, before.st_mtime_ns + (change == "time")))
    assert reader.begin().of(FILE) == text


def test_another_version_of_the_function_forgets(reader: Reader) -> None:
    reader.begin("2").of(FILE)
    assert reader.read == ["a.txt", "a.txt"]


@pytest.mark.parametrize(("old", "new"), [('one"', ""), ('"one"', '"two"'), ("", "")])
def test_a_damaged_memory_is_an_empty_one(reader: Reader, old: str, new: str) -> None:
    path = reader.begin().path
    path.write_text(path.read_text().replace(old, new) if old else "")
    assert reader.begin().of(FILE) == "one"
    assert reader.read == ["a.txt", "a.txt"]
