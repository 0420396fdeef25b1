"""Paths of a configuration name the files that a person means, and say what they name else."""

import os
import socket
from pathlib import Path

import pytest

from gptgrid.artifact.files import Remembered, file_digest
from gptgrid.config.errors import ConfigError
from gptgrid.plan.own_files import OwnFiles


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """Work in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def write(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def files(*paths: str) -> list[str]:
    return [str(path) for path in OwnFiles(paths, "here").found.values()]


def test_a_folder_means_all_files_in_it() -> None:
    write("texts/b.txt", "texts/sub/a.txt", "texts/z.txt", "other.txt")
    assert files("texts", "*.txt") == ["texts/b.txt", "texts/sub/a.txt", "texts/z.txt", "other.txt"]
    assert files("texts/*") == ["texts/b.txt", "texts/sub/a.txt", "texts/z.txt"]
    assert files("texts/**/a.*", "**/z.txt") == ["texts/sub/a.txt", "texts/z.txt"]
    assert files("texts/**") == files("texts") == files("texts", "texts/b.txt")


def test_a_file_may_be_called_like_a_pattern(here) -> None:
    write("book[1].txt", "book1.txt", "why?.txt", "why!.txt", "*.txt", "~/a.txt", "old [1990]/a.txt")
    assert files("book[1].txt") == ["book[1].txt"]
    assert files(f"{here}/book[1].txt") == [f"{here}/book[1].txt"]
    assert files("book[0-9].txt") == ["book1.txt"]
    assert files("why?.txt") == ["why?.txt"]
    assert files("~/a.txt") == ["~/a.txt"]
    assert files("old [1990]/*.txt") == ["old [1990]/a.txt"]
    assert files("*.txt") == ["*.txt", "book1.txt", "book[1].txt", "why!.txt", "why?.txt"]


def test_home(here, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    write("home/a.txt", "home/b.txt")
    assert files("~/a.txt", "~/*.txt") == [f"{here}/home/a.txt", f"{here}/home/b.txt"]


def test_links_are_followed_once(here) -> None:
    write("texts/a.txt", "elsewhere/b.txt", "elsewhere/deep/c.txt")
    Path("texts/more").symlink_to(here / "elsewhere")
    Path("elsewhere/loop").symlink_to(here / "texts")
    Path("texts/self").symlink_to(".")
    Path("texts/same.txt").symlink_to("a.txt")
    found = OwnFiles(["texts"], "here")
    assert list(map(str, found.found.values())) == [
        "texts/a.txt",
        "texts/more/b.txt",
        "texts/more/deep/c.txt",
    ]
    assert found.left_out == {"links to the same files": 1}
    assert files("texts/**/*.txt") == ["texts/a.txt", "texts/more/b.txt", "texts/more/deep/c.txt"]


LITTER = [
    *(".DS_Store", "Thumbs.db", "desktop.ini", "a.txt~", "#a.txt#", ".#a.txt", ".a.txt.swp", "a.txt.bak", "~$a.docx"),
    *(".git/HEAD", ".ipynb_checkpoints/a.txt", "__MACOSX/._a.txt"),
]  # fmt: skip


@pytest.mark.parametrize("name", LITTER)
@pytest.mark.parametrize("path", ["texts", "texts/*", "**/*"])
def test_what_programs_leave_behind_is_left_out_and_counted(name: str, path: str) -> None:
    write("texts/a.txt", f"texts/{name}")
    found = OwnFiles([path], "here")
    assert [str(path) for path in found.found.values()] == ["texts/a.txt"]
    assert found.left_out == {"hidden files or copies by editors": 1}


def test_a_name_that_is_written_out_is_meant() -> None:
    write("texts/.hidden.txt", "texts/a.txt~", ".notes/a.txt")
    assert files("texts/.hidden.txt", ".notes") == ["texts/.hidden.txt", ".notes/a.txt"]
    assert files("texts/.*", "texts/*~") == ["texts/.hidden.txt", "texts/a.txt~"]


def test_what_is_no_file_is_left_out_of_folders() -> None:
    write("texts/a.txt")
    os.mkfifo("texts/pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("texts/socket")
    Path("texts/broken").symlink_to("nowhere")
    Path("texts/circle").symlink_to("circle")
    Path("texts/empty.txt").touch()
    found = OwnFiles(["texts"], "here")
    assert [str(path) for path in found.found.values()] == ["texts/a.txt"]
    assert found.left_out == {"broken links": 2, "empty files": 1, "pipes, sockets or devices": 2}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere/*.txt", r"here: no file matches 'nowhere/\*\.txt'"),
        ("~/a.txt", "here: no file matches '~/a.txt'"),
        ("~nobody-of-this-name/a.txt", "here: '~nobody-of-this-name/a.txt': `~` names no home"),
        ("a\0b", "here: no file matches"),
        ("", "here: no file matches ''"),
        ("texts/**.txt", r"`\*\*` stands for folders, between slashes"),
        ("litter", r"here: no file matches 'litter' .*left out: 1 hidden files or copies by editors"),
        ("pipe", "here: pipe is a pipe, a socket or a device, not a file"),
        ("broken", "here: broken is a link to nowhere, which is not there"),
    ],
)
def test_a_path_that_names_no_file_is_refused(path: str, said: str) -> None:
    write("litter/.DS_Store")
    os.mkfifo("pipe")
    Path("broken").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=said):
        OwnFiles([path], "here")


def test_what_cannot_be_read_is_named(monkeypatch) -> None:
    write("texts/locked/a.txt")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    with pytest.raises(ConfigError, match=r"here: 'texts/locked/a.txt' cannot be read \(Permission denied\)"):
        OwnFiles(["texts"], "here").digests(Remembered("digests", refuse))
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ConfigError, match=r"here: 'texts' cannot be read \(Permission denied\)"):
        OwnFiles(["texts"], "here")


def test_names_that_are_no_text_are_refused(here) -> None:
    Path("texts").mkdir()
    (here / os.fsdecode(b"texts/\xff.txt")).write_text("a")
    with pytest.raises(ConfigError, match=r"the name of 'texts/\\udcff.txt' is not UTF-8"):
        OwnFiles(["texts"], "here").digests(Remembered("digests", file_digest))


@pytest.mark.parametrize("paths", [["texts"], ["texts/*.bin"], ["texts/**/*.bin"]])
def test_numbers_in_names_count_as_numbers(here, paths) -> None:
    names = ["a.bin", "tr1.bin", "tr02.bin", "tr3.bin", "tr10.bin", "v9/1.bin", "v10/1.bin", "z.bin"]
    for name in reversed(names):
        (here / "texts" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "texts" / name).write_text(name)
    found = [str(Path(path).relative_to("texts")) for path in OwnFiles(paths, "here").found.values()]
    if paths == ["texts/*.bin"]:
        names = [name for name in names if "/" not in name]
    assert found == names
