"""The command as a program of its own: its address, its end, its memory."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from cells import tiny, write_cell

from gptgrid.artifact.errors import UserError
from gptgrid.inference.serve.address import listen, url_of
from gptgrid.inference.serve.names import names_of

LONG = {"prompt": "a", "max_tokens": 30_000, "ignore_eos": True, "stream": True}
COMMAND = [sys.executable, "-c", "from gptgrid.cli.main import main; main()", "serve"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    cell = tmp_path_factory.mktemp("results") / "tales.bytes.gpt2.base.s1"
    write_cell(cell / "train", tiny(257, context=32))
    return cell


@contextmanager
def program(*arguments: object) -> Iterator[tuple[subprocess.Popen, str]]:
    """Run the command; yield it with its address."""
    command = [*COMMAND, *map(str, arguments), "--port", "0", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            text = "".join(process.stdout.readline() for _ in range(3))
            url = re.search(r"API:  (http://\S+)/v1", text)[1]
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    httpx.get(url)
                    break
                except httpx.ConnectError:
                    time.sleep(0.02)
            yield process, url
        finally:
            process.kill()


def test_sigterm_ends_it_within_a_second_even_while_it_computes(folder):
    with program(folder) as (process, url):
        asked = [httpx.Client(timeout=30) for _ in range(3)]
        streams = [client.stream("POST", f"{url}/v1/completions", json=LONG) for client in asked]
        lines = [stream.__enter__().iter_lines() for stream in streams]
        assert all(next(line).startswith("data: {") for line in lines)
        start = time.monotonic()
        process.terminate()
        assert process.wait(5) == -signal.SIGTERM
        assert time.monotonic() - start < 1
        # Who waits is told.
        assert '"the server is ending"' in list(lines[0])[-2]


def test_ctrl_c_ends_it_quietly(folder):
    with program(folder) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_200_at_once_are_answered_or_told_to_come_back_and_memory_stays(folder):
    async def ask(client: httpx.AsyncClient, url: str) -> int:
        body = {"prompt": "a", "max_tokens": 8, "n": 2, "ignore_eos": True, "logprobs": 5}
        return (await client.post(f"{url}/v1/completions", json=body)).status_code

    async def ask_all(url: str) -> list[int]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            return await asyncio.gather(*(ask(client, url) for _ in range(200)))

    with program(folder) as (process, url):
        memory = []
        for _ in range(3):
            found = asyncio.run(ask_all(url))
            assert set(found) <= {200, 429}
            assert found.count(200) >= 64
            memory.append(psutil.Process(process.pid).memory_info().rss)
        assert memory[2] - memory[1] < 20e6
        # And it goes on.
        assert httpx.post(f"{url}/v1/completions", json={"prompt": "a"}).status_code == 200


def test_a_port_in_use_is_one_clear_message():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        expected = f"^cannot listen at 127.0.0.1, port {port}: another program uses it; give another --port"
        with pytest.raises(UserError, match=expected):
            listen("127.0.0.1", port, None)


def test_another_address_needs_a_token():
    for host in ("0.0.0.0", "192.0.2.1", "example.org"):
        with pytest.raises(UserError, match="give a --token"):
            listen(host, 0, None)
    with pytest.raises(UserError, match="the token is empty"):
        listen("127.0.0.1", 0, "")
    for token in (" ", "sesame ", "two words", "сезам", "sesame\n"):
        with pytest.raises(UserError, match="which clients cannot send"):
            listen("127.0.0.1", 0, token)
    with pytest.raises(UserError, match="cannot listen at 192\\.0\\.2\\.1, port 0: "):
        listen("192.0.2.1", 0, "sesame")
    for host in ("127.0.0.1", "127.0.0.2", "localhost"):
        listen(host, 0, None).close()
    listen("0.0.0.0", 0, "sesame").close()


@pytest.mark.parametrize(("host", "named"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_an_address_is_named_as_clients_write_it(host, named):
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("there is no IPv6")
    with listen(host, 0, None) as taken:
        assert url_of(taken) == f"http://{named}:{taken.getsockname()[1]}"


def test_cells_are_called_by_their_names(tmp_path):
    one, two = (tmp_path / experiment / "cells" / "a.s1" / "train" for experiment in ("x", "y"))
    for folder in (one, two):
        folder.mkdir(parents=True)
    weights, last = one / "step-00000100.safetensors", one / "last.safetensors"
    weights.touch()
    last.touch()
    assert names_of([one.parent]) == {"a.s1": one.parent}
    assert names_of([one, two.parent]) == {"x/a.s1": one, "y/a.s1": two.parent}
    assert names_of([one.parent, weights, last]) == {
        "a.s1": one.parent,
        "a.s1@100": weights,
        "a.s1@last": last,
    }
