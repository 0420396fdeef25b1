"""What is fetched is what was pinned, once, whatever the server does, and nothing else is left behind."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from servers import Server, ranged, says, serve, whole

from gptgrid.artifact.errors import UserError
from gptgrid.net import download
from gptgrid.net import http as web
from gptgrid.net.download import fetch

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/texts/%E7%BA%A2.txt"
HTTP = ("https", "http")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No test waits; the list says for how long a user would have."""
    found: list[float] = []
    monkeypatch.setattr(download, "sleep", found.append)
    for name in ("GPTGRID_MIRROR", "GPTGRID_HEADERS", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for scheme in ("HTTP", "HTTPS", "ALL", "NO"):
        monkeypatch.delenv(f"{scheme}_PROXY", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".lower(), raising=False)
    return found


@pytest.fixture
def server():
    with serve(whole(CONTENT)) as server:
        yield server


@pytest.fixture
def other():
    with serve(whole(CONTENT)) as server:
        yield server


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror"
    path = folder / "example.org" / "texts" / "红.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv("GPTGRID_MIRROR", str(folder))
    return path


def left(folder: Path) -> list[str]:
    """Return the endings of the files beside the lock."""
    return sorted(path.suffix for path in folder.iterdir() if path.suffix != ".lock")


def ranges(server: Server) -> list[str | None]:
    return [headers.get("Range") for _, headers in server.asked]


# ----------------------------------------------------------------------------------------- places


def test_folder_mirror_comes_first(mirror: Path, tmp_path: Path) -> None:
    path = fetch(URL, SHA256, tmp_path / "downloads")
    assert path == tmp_path / "downloads" / SHA256
    assert path.read_bytes() == CONTENT


def test_a_damaged_file_is_fetched_again(mirror: Path, tmp_path: Path, capsys) -> None:
    path = fetch(URL, SHA256, tmp_path / "downloads")
    path.write_bytes(b"x" + CONTENT[1:])
    assert fetch(URL, SHA256, tmp_path / "downloads").read_bytes() == CONTENT
    assert f"{path} is damaged; fetching it again" in capsys.readouterr().out


def test_web_mirror_comes_first_and_is_asked_once(server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GPTGRID_MIRROR", server.url + "/")
    for _ in range(2):
        assert fetch(URL, SHA256, tmp_path).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/example.org/texts/%E7%BA%A2.txt"]


def test_what_the_mirror_lacks_comes_from_the_web(
    server: Server, other: Server, tmp_path: Path, monkeypatch
) -> None:
    other.answers = [says(404)]
    monkeypatch.setenv("GPTGRID_MIRROR", other.url)
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert len(other.asked) == 1


def test_file_addresses_where_they_are_allowed(tmp_path: Path) -> None:
    source = tmp_path / "红 1.txt"
    source.write_bytes(CONTENT)
    assert fetch(source.as_uri(), SHA256, tmp_path / "d", schemes=("file",)).read_bytes() == CONTENT
    with pytest.raises(UserError, match="not an https:// address"):
        fetch(source.as_uri(), SHA256, tmp_path / "d")


def test_git_id_is_a_checksum_too(mirror: Path, tmp_path: Path) -> None:
    blob = subprocess.run(
        ["git", "hash-object", mirror], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert fetch(URL, blob, tmp_path / "d").name == blob
    with pytest.raises(UserError, match=f"has git id {blob}, but {'0' * 40} was expected"):
        fetch(URL, "0" * 40, tmp_path / "d")


def test_unreachable_says_what_was_tried(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(
        UserError, match=r"127\.0\.0\.1:9.*refused.*set GPTGRID_MIRROR to a folder that has 127"
    ):
        fetch("https://127.0.0.1:9/a.txt", SHA256, tmp_path)
    assert len(pauses) == download.ATTEMPTS - 1 and 16 <= pauses[-1] <= 17


def test_unreachable_says_where_a_mirror_that_is_set_would_have_it(
    mirror: Path, tmp_path: Path, pauses: list[float]
) -> None:
    lacking = mirror.parents[2] / "127.0.0.1:9" / "红.txt"
    with pytest.raises(UserError, match=f"refused.*put the file at {re.escape(str(lacking))}"):
        fetch("https://127.0.0.1:9/%E7%BA%A2.txt", SHA256, tmp_path / "downloads")


# ---------------------------------------------------------------------------------- broken servers


@pytest.mark.parametrize("tag", ['"one"', 'W/"weak"', ""])
def test_goes_on_where_the_connection_broke(server: Server, tmp_path: Path, tag: str) -> None:
    server.answers = [ranged(CONTENT, upto, tag) for upto in (300_000, 700_000, None)]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=300000-", "bytes=700000-"]
    assert [headers.get("If-Range") for _, headers in server.asked][2] == (
        '"one"' if tag == '"one"' else None
    )
    assert left(tmp_path) == [""]


def test_goes_on_after_a_killed_process(server: Server, tmp_path: Path) -> None:
    stalled, release = threading.Event(), threading.Event()

    def stall(request) -> None:
        request.send(CONTENT[:400_000], 200, len(CONTENT), ETag='"one"')
        stalled.set()
        release.wait(60)

    server.answers = [stall, ranged(CONTENT)]
    code = "import sys; from pathlib import Path; from gptgrid.net.download import fetch; fetch(sys.argv[1], sys.argv[2], Path(sys.argv[3]), schemes=('http',))"
    process = subprocess.Popen([sys.executable, "-c", code, f"{server.url}/a", SHA256, str(tmp_path)])
    part = tmp_path / f"{SHA256}.part"
    while not (stalled.is_set() and part.is_file() and part.stat().st_size > 300_000):
        assert process.poll() is None
        stalled.wait(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    release.set()
    size = part.stat().st_size
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={size}-"]


def test_killed_before_the_end_was_known(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{SHA256}.part").write_bytes(CONTENT)
    server.answers = [ranged(CONTENT)]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert ranges(server) == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("size", [1000, len(CONTENT), len(CONTENT) + 5])
def test_part_of_another_file_is_not_kept(server: Server, tmp_path: Path, size: int) -> None:
    (tmp_path / f"{SHA256}.part").write_bytes(b"x" * size)
    server.answers = [ranged(CONTENT)]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert ranges(server) == [f"bytes={size}-", None]


def test_changed_file_starts_anew(server: Server, tmp_path: Path) -> None:
    server.answers = [ranged(b"y" * len(CONTENT), 300_000, '"old"'), ranged(CONTENT, None, '"new"')]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert server.asked[1][1]["If-Range"] == '"old"'


def test_server_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    server.answers = [lambda request: request.send(CONTENT[:300_000], 200, len(CONTENT)), whole(CONTENT)]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT


def test_range_at_the_wrong_place_starts_anew(server: Server, tmp_path: Path, capsys) -> None:
    def shifted(request) -> None:
        request.send(CONTENT[7:], 206, Content_Range=f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")

    server.answers = [ranged(CONTENT, 300_000), shifted, ranged(CONTENT)]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=300000-", None]
    assert "it cannot go on where it broke off" in capsys.readouterr().out


def test_server_that_promises_more_than_it_has(server: Server, tmp_path: Path) -> None:
    server.answers = [lambda request: request.send(CONTENT, 200, len(CONTENT) + 100)]
    with pytest.raises(UserError, match="received 1024000 bytes, expected 1024100"):
        fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP)
    assert left(tmp_path) == [".part"]


def test_server_that_promises_less_than_it_has(server: Server, tmp_path: Path) -> None:
    server.answers = [lambda request: request.send(CONTENT, 200, len(CONTENT) - 100)]
    with pytest.raises(UserError, match=f"but {SHA256} was expected"):
        fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP)
    assert left(tmp_path) == []


def test_range_that_is_too_short_is_continued(server: Server, tmp_path: Path) -> None:
    def short(request) -> None:
        request.send(CONTENT[300_000:400_000], 206, Content_Range=f"bytes 300000-399999/{len(CONTENT)}")

    server.answers = [ranged(CONTENT, 300_000), short, ranged(CONTENT)]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert ranges(server)[2] == "bytes=400000-"


def test_stalled_server_is_left_and_asked_again(server: Server, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(web, "TIMEOUT", 0.2)
    release = threading.Event()

    def stall(request) -> None:
        request.send(CONTENT[:300_000], 200, len(CONTENT), ETag='"one"')
        release.wait(60)

    server.answers = [stall, ranged(CONTENT)]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    release.set()
    assert "nothing came for 0.2 s; 300,000 bytes are there, next attempt in " in capsys.readouterr().out


def test_busy_server_is_asked_later(server: Server, tmp_path: Path, pauses: list[float]) -> None:
    server.answers = [says(503), says(429, Retry_After="7"), says(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), says(500, Retry_After="99999"), whole(CONTENT)]  # fmt: skip
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert 1 <= pauses[0] <= 2 and pauses[1:] == [7, 0, web.LONGEST_PAUSE]


def test_attempts_that_bring_something_are_not_counted(server: Server, tmp_path: Path) -> None:
    server.answers = [ranged(CONTENT, upto) for upto in range(50_000, len(CONTENT), 50_000)] + [
        ranged(CONTENT)
    ]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert len(server.asked) > 3 * download.ATTEMPTS


def test_missing_file_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    server.answers = [says(404)]
    with pytest.raises(UserError, match="the server answered 404 Not Found"):
        fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP)
    assert len(server.asked) == 1 and left(tmp_path) == []


def test_wrong_sum_names_both_and_leaves_nothing(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=f"{URL} has sha256 {SHA256}, but {'0' * 64} was expected, from .*mirror"
    ):
        fetch(URL, "0" * 64, tmp_path / "downloads")
    assert left(tmp_path / "downloads") == []


# ---------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("chunked", [False, True])
def test_size_limit(server: Server, tmp_path: Path, chunked: bool) -> None:
    def endless(request) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(bytes(100_000))

    if chunked:
        server.answers = [endless]
    with pytest.raises(UserError, match="but the limit is 1,000,000; raise `max_bytes`"):
        fetch(f"{server.url}/a", SHA256, tmp_path, limit=1_000_000, schemes=HTTP)
    assert left(tmp_path) == []


def test_size_limit_is_checked_before_anything_comes(server: Server, tmp_path: Path) -> None:
    server.answers = [lambda request: request.send(b"", 200, 2_000_000)]
    with pytest.raises(UserError, match="has 2,000,000 bytes or more, but the limit is 1,000,000"):
        fetch(f"{server.url}/a", SHA256, tmp_path, limit=1_000_000, schemes=HTTP)


def test_size_limit_of_a_mirror(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the limit is 1,000"):
        fetch(URL, SHA256, tmp_path / "downloads", limit=1000)
    assert left(tmp_path / "downloads") == []


def test_progress_says_how_far_how_fast_and_how_long(
    server: Server, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(download, "PROGRESS", 0)
    fetch(f"{server.url}/a?signature=secret", SHA256, tmp_path, schemes=HTTP)
    said = capsys.readouterr().out
    assert "/a: " in said and " of 1.0 MB (" in said and " MB/s" in said and " s left" in said
    assert "secret" not in said


# ------------------------------------------------------------------------- addresses and redirects


def test_only_https_unless_more_is_allowed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not an https:// address; see the key `insecure`"):
        fetch(f"{server.url}/a", SHA256, tmp_path)
    assert server.asked == []


def test_password_in_an_address_is_refused_and_not_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"on example\.org contains a user name or password") as error:
        fetch("https://me:geheim@example.org/a", SHA256, tmp_path)
    assert "geheim" not in str(error.value)


def test_redirects_are_followed(server: Server, other: Server, tmp_path: Path) -> None:
    server.answers = [says(302, Location="/b"), says(307, Location=f"{other.url}/c")]
    assert fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert [path for path, _ in server.asked + other.asked] == ["/a", "/b", "/c"]


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "redirects from http to file"),
        ("ftp://example.org/a", "redirects from http to ftp"),
        ("http://me:geheim@example.org/a", "with a user name"),
        ("/a", "more than 10 times"),
        ("http://a:b/", "cannot be read"),
    ],
)
def test_redirects_that_are_refused(server: Server, tmp_path: Path, location: str, said: str) -> None:
    server.answers = [says(302, Location=location)]
    with pytest.raises(UserError, match=said) as error:
        fetch(f"{server.url}/a", SHA256, tmp_path, schemes=("https", "http", "file"))
    assert "geheim" not in str(error.value)


def test_redirect_from_https_to_http_is_refused() -> None:
    address = web.check("https://example.org/a", HTTP)
    with pytest.raises(web.RefusalError, match=r"from https to http on example\.org"):
        web.redirected(address, "http://example.org/a", HTTP)
    with pytest.raises(web.RefusalError, match="from http to http "):
        web.redirected(web.check("http://example.org/a", ("http",)), "http://example.org/a", ("https",))


# ----------------------------------------------------------------------------------- credentials


def test_credentials_go_to_their_host_only(
    server: Server, other: Server, tmp_path: Path, monkeypatch, capsys
) -> None:
    both = {host: {"X-Key": "geheim"} for host in (server.host, other.host)}
    monkeypatch.setenv("GPTGRID_HEADERS", json.dumps(both))
    monkeypatch.setenv("HF_TOKEN", "hf_geheim")
    server.answers = [says(302, Location=f"{other.url}/b?key=geheim")]
    other.answers = [says(503), says(403)]
    with pytest.raises(UserError, match=r"answered 403 .*set GPTGRID_HEADERS") as error:
        fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP)
    assert all(headers["X-Key"] == "geheim" for _, headers in server.asked)
    assert not any("X-Key" in headers for _, headers in other.asked)
    assert not any("Authorization" in headers for _, headers in server.asked + other.asked)
    assert "geheim" not in str(error.value) + capsys.readouterr().out
    assert not any(b"geheim" in path.read_bytes() for path in tmp_path.iterdir())


def test_token_goes_to_the_hub_only(server: Server, other: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", " hf_geheim\n")
    server.answers = [says(302, Location=f"{other.url}/b")]
    assert fetch("https://huggingface.co/datasets/x", SHA256, tmp_path).read_bytes() == CONTENT
    assert server.asked[0][0] == "/datasets/x" and server.asked[0][1]["Authorization"] == "Bearer hf_geheim"
    assert "Authorization" not in other.asked[0][1]


@pytest.mark.parametrize(
    "value",
    [
        "geheim",
        '["geheim"]',
        '{"127.0.0.1:1": "geheim"}',
        '{"127.0.0.1:1": {"A": "geheim\\n"}}',
        '{"127.0.0.1:1": {"A": 7}}',
    ],
)
def test_wrong_headers_are_not_said(tmp_path: Path, monkeypatch, value: str) -> None:
    monkeypatch.setenv("GPTGRID_HEADERS", value)
    with pytest.raises(UserError, match="GPTGRID_HEADERS") as error:
        fetch("http://127.0.0.1:1/a", SHA256, tmp_path, schemes=HTTP)
    assert "geheim" not in str(error.value)


def test_proxy_of_the_environment_is_asked(server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    assert fetch("http://example.org/a", SHA256, tmp_path, schemes=HTTP).read_bytes() == CONTENT
    assert server.asked[0][0] == "http://example.org/a"


@pytest.mark.parametrize(
    ("name", "value"), [("HTTPS_PROXY", "what://me:geheim@host"), ("SSL_CERT_FILE", "/nowhere")]
)
def test_wrong_network_variables_are_named(tmp_path: Path, monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"the network cannot be set up .*{name}") as error:
        fetch(URL, SHA256, tmp_path)
    assert "geheim" not in str(error.value)


def test_full_disk_is_said_and_the_part_stays(server: Server, tmp_path: Path, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(download.os, "fsync", full)
    with pytest.raises(UserError, match=r"part cannot be written \(No space left on device\); make room"):
        fetch(f"{server.url}/a", SHA256, tmp_path, schemes=HTTP)
    assert left(tmp_path) == [".part"]
