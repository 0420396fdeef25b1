"""What may be a secret in an address is shown nowhere, and lies nowhere but beside the downloads for a while."""

import hashlib
import json
import stat

import pytest
from servers import says, serve, whole

from gptgrid.artifact.errors import UserError
from gptgrid.net.address import note_address, public
from gptgrid.net.download import fetch

CONTENT = b"A text.\n" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _no_mirror(monkeypatch):
    for name in ("GPTGRID_MIRROR", "GPTGRID_HEADERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/a/b.txt", "https://host/a/b.txt"),
        ("https://host/a?X-Amz-Signature=geheim&X-Amz-Date=1", "https://host/a"),
        ("https://host:8080/a?sv=1&sig=geheim%3D#part", "https://host:8080/a"),
        ("https://host/a#token=geheim", "https://host/a"),
        ("https://host?token=geheim", "https://host"),
        ("HTTPS://me:geheim@host/a", "HTTPS://host/a"),
        ("https://geheim@host/a@b.txt?x=c@d", "https://host/a@b.txt"),
        ("found 'https://host/a?sig=geheim', not this", "found 'https://host/a', not this"),
        ("a question? no address", "a question? no address"),
        ("/mirror/host/a?b", "/mirror/host/a?b"),
    ],
)
def test_what_is_shown_of_an_address(text, shown):
    assert public(text) == shown


def test_a_query_is_kept_until_the_file_is_there(tmp_path):
    folder = tmp_path / "downloads"
    with serve(whole(CONTENT)) as server:
        url = f"{server.url}/a.txt"
        note_address(f"{url}?sig=old", SHA256, folder)
        note_address(f"{url}?sig=geheim", SHA256, folder)
        (kept,) = folder.iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert fetch(url, SHA256, folder, schemes=("http",)).read_bytes() == CONTENT
        assert [path for path, _ in server.asked] == ["/a.txt?sig=geheim"]
        note_address(f"{url}?sig=new", SHA256, folder)
        assert not any(b"sig" in path.read_bytes() for path in folder.iterdir())


def test_the_query_of_another_file_is_not_used(tmp_path):
    with serve(whole(CONTENT)) as server:
        note_address(f"{server.url}/other.txt?sig=geheim", SHA256, tmp_path)
        fetch(f"{server.url}/a.txt", SHA256, tmp_path, schemes=("http",))
        assert [path for path, _ in server.asked] == ["/a.txt"]


def test_a_signature_that_ran_out_is_not_said(tmp_path, capsys):
    with serve(says(403)) as server:
        note_address(f"{server.url}/a?sig=geheim", SHA256, tmp_path)
        with pytest.raises(UserError, match=r"answered 403 .*signed anew") as error:
            fetch(f"{server.url}/a", SHA256, tmp_path, schemes=("http",))
        assert "geheim" not in str(error.value) + capsys.readouterr().out


def test_a_folder_needs_no_signature_in_its_names(tmp_path, monkeypatch):
    mirror = tmp_path / "mirror" / "host"
    mirror.mkdir(parents=True)
    (mirror / "a").write_bytes(CONTENT)
    monkeypatch.setenv("GPTGRID_MIRROR", str(mirror.parent))
    assert fetch("https://host/a?sig=geheim", SHA256, tmp_path / "d").read_bytes() == CONTENT
    (mirror / "a?id=7").write_bytes(CONTENT + b"7")
    other = hashlib.sha256(CONTENT + b"7").hexdigest()
    assert fetch("https://host/a?id=7", other, tmp_path / "d").read_bytes() == CONTENT + b"7"


def test_a_mirror_on_the_web_gets_no_signature(tmp_path, monkeypatch):
    with serve(whole(CONTENT)) as server:
        monkeypatch.setenv("GPTGRID_MIRROR", server.url)
        fetch("https://host/a?sig=geheim", SHA256, tmp_path)
        assert [path for path, _ in server.asked] == ["/host/a"]


@pytest.mark.parametrize("value", [" geheim", "geheim ", "geheim\r\nX: y"])
def test_a_header_that_cannot_be_sent_is_not_said(tmp_path, monkeypatch, value):
    with serve(whole(CONTENT)) as server:
        monkeypatch.setenv("GPTGRID_HEADERS", json.dumps({server.host: {"Authorization": value}}))
        with pytest.raises(UserError, match="GPTGRID_HEADERS") as error:
            fetch(f"{server.url}/a", SHA256, tmp_path, schemes=("http",))
        assert "geheim" not in str(error.value)


def test_the_name_of_a_header_that_cannot_be_sent_is_not_a_traceback(tmp_path, monkeypatch):
    with serve(whole(CONTENT)) as server:
        monkeypatch.setenv("GPTGRID_HEADERS", f'{{"{server.host}": {{"a b": "geheim"}}}}')
        with pytest.raises(UserError, match="GPTGRID_HEADERS") as error:
            fetch(f"{server.url}/a", SHA256, tmp_path, schemes=("http",))
        assert "geheim" not in str(error.value)
