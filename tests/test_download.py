"""What is fetched is what was pinned, once, and nothing else is ever left behind."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gptgrid import download
from gptgrid.download import fetch
from gptgrid.stage import UserError

CONTENT = b"a text\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/texts/%E7%BA%A2.txt"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror"
    path = folder / "example.org" / "texts" / "红.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv("GPTGRID_MIRROR", str(folder))
    return path


@pytest.fixture
def served(mirror: Path, monkeypatch: pytest.MonkeyPatch):
    """The mirror through a web server; yields the list of the paths that were asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=mirror.parents[2]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("GPTGRID_MIRROR", f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()


def test_folder_mirror_comes_first(mirror: Path, tmp_path: Path) -> None:
    path = fetch(URL, SHA256, tmp_path / "downloads")
    assert path == tmp_path / "downloads" / SHA256
    assert path.read_bytes() == CONTENT


def test_web_mirror_comes_first_and_is_asked_once(served: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        assert fetch(URL, SHA256, tmp_path).read_bytes() == CONTENT
    assert served == ["/example.org/texts/%E7%BA%A2.txt"]


def test_what_is_there_needs_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SHA256).write_bytes(CONTENT)
    monkeypatch.setattr(download, "pieces", lambda url: pytest.fail("it was fetched again"))
    assert fetch(URL, SHA256, tmp_path).read_bytes() == CONTENT


def test_wrong_sum_names_both_and_leaves_nothing(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{URL} has sha256 {SHA256}, but {'0' * 64} was expected"):
        fetch(URL, "0" * 64, tmp_path / "downloads")
    assert [path.suffix for path in (tmp_path / "downloads").iterdir()] == [".lock"]


def test_unreachable_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPTGRID_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="set GPTGRID_MIRROR to a folder that has"):
        fetch("https://127.0.0.1:9/a.txt", SHA256, tmp_path)
