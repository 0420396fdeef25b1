"""A program that hands itself over to a warm server behaves as if it ran by itself."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gptgrid.launch.server import ADDRESS

SOURCE = str(Path(__file__).parents[2] / "src")


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def parent() -> Iterator[subprocess.Popen]:
    """A process that started a server, and lives until a line comes."""
    code = "import os; from gptgrid.launch.server import *; start_server(); print(os.environ[ADDRESS], flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.address = process.stdout.readline().strip()
    wait_for(Path(process.address).exists)
    yield process
    process.kill()


@pytest.fixture
def start(parent, tmp_path):
    """Return a function that starts a program of a few lines in a folder of its own."""

    def run(code: str, *arguments: str, **environment: str) -> subprocess.Popen:
        script = tmp_path / "program.py"
        head = "import os, signal, sys, time\nfrom gptgrid.launch.server import hand_over\n"
        head += "if (status := hand_over()) is not None:\n    sys.exit(status)\n"
        script.write_text(head + textwrap.dedent(code))
        settings = {**os.environ, "PYTHONPATH": SOURCE, ADDRESS: parent.address, **environment}
        return subprocess.Popen(
            [sys.executable, str(script), *arguments],
            cwd=tmp_path,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def test_arguments_environment_folder_streams_and_the_imports(start, tmp_path):
    program = start(
        """
        print(sys.argv[1:], os.environ["SOMETHING"], os.getcwd(), "torch" in sys.modules, os.getppid())
        print("gptgrid.launch.server read anew:", "gptgrid.launch.server" in sys.modules, file=sys.stderr)
        """,
        "a b",
        SOMETHING="told",
    )
    said, errors = program.communicate(timeout=60)
    assert program.returncode == 0
    *facts, fork_parent = said.split()
    assert " ".join(facts) == f"['a b'] told {tmp_path} True"
    assert int(fork_parent) != os.getpid(), "it ran by itself"
    assert errors == "gptgrid.launch.server read anew: True\n"


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('what to do')", 1, "what to do\n"),
        ("raise ValueError('broken')", 1, "ValueError: broken\n"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, ""),
    ],
)
def test_it_ends_as_the_fork_does(start, code, status, message):
    program = start(code)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == status
    assert errors.endswith(message) and bool(errors) == bool(message)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_the_fork(start, number):
    program = start(
        f"""
        signal.signal({int(number)}, lambda number, frame: sys.exit(40 + number))
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    assert program.stdout.readline() == "ready\n"
    program.send_signal(number)
    program.communicate(timeout=60)
    assert program.returncode == 40 + number


def test_a_fork_keeps_the_allocator_of_the_server(start) -> None:
    process = start(
        """
        from gptgrid.launch.allocator import describe_allocator, restart_with_allocator
        restart_with_allocator()
        print(describe_allocator())
        """
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    if sys.platform == "linux":
        assert out.strip() in ("tcmalloc", "glibc, memory kept, huge pages")


def test_a_fork_does_not_outlive_its_program(start):
    program = start("print(os.getpid(), flush=True)\ntime.sleep(60)")
    fork = int(program.stdout.readline())
    program.kill()
    wait_for(lambda: not Path(f"/proc/{fork}").exists() if Path("/proc").exists() else True)
    program.communicate()


def test_without_a_server_it_runs_itself(start):
    program = start("print('torch' in sys.modules)", **{ADDRESS: "/nowhere/socket"})
    assert program.communicate(timeout=60)[0] == "False\n"
    assert program.returncode == 0


def test_the_server_ends_with_its_parent(parent):
    """The last test of the module: it ends the server of all."""
    folder = Path(parent.address).parent
    assert folder.is_dir()
    parent.stdin.write("\n")
    parent.stdin.flush()
    parent.wait()
    wait_for(lambda: not folder.exists())
