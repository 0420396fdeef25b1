"""Programs that begin with torch imported.

Importing torch takes a second, and a grid of small cells starts hundreds of programs. So a server, which
lives as long as the run of Snakemake that started it, imports it once and forks for each of them. The program
that Snakemake started hands its arguments, environment and streams over, passes signals on, and ends as the
fork does. Only libraries are imported ahead, never gptgrid: a fork reads the source as it then is. Without a
server, as on another machine of a cluster, programs run as they are.

The forkserver of multiprocessing serves the process that started it alone, and these programs are started by
shells of Snakemake's: hence a socket.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from gptgrid.artifact.job import Build

ADDRESS = "GPTGRID_WARM"
"""Environment variable with the server's socket."""
LIBRARIES = (
    *("safetensors.torch", "torch._dynamo", "torch.nn.attention.flex_attention", "torch.utils.data"),
    *("pandas", "pyarrow.parquet"),
)
"""Torch comes with them, and what making an optimizer or a table would import in another second."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
KILLED = 128 + signal.SIGKILL
"""How a program ends that the system killed, most often for lack of memory."""
PATIENCE = 0.02
"""Seconds between looks at a fork that runs."""


# ------------------------------------------------------------------------------------ the program


def main(stage: str, load: Callable[[], Build], description: str | None) -> None:
    """Run a stage program that computes with torch; see `gptgrid.artifact.program.main`."""
    status = hand_over()
    # What follows is for whoever really runs the program.
    from gptgrid.artifact import program
    from gptgrid.launch.allocator import restart_with_allocator

    if status is None:
        restart_with_allocator()
        program.main(stage, load, description)
    else:
        sys.exit(program.record_kill(stage) if status == KILLED else status)


def hand_over() -> int | None:
    """Let the server run this program, if there is one, and return its exit code; else return None."""
    address = os.environ.pop(ADDRESS, None)
    if address is None:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        return None
    task = {"argv": sys.argv, "environment": dict(os.environ), "folder": str(Path.cwd())}
    sys.stdout.flush()
    socket.send_fds(connection, [json.dumps(task).encode() + b"\n"], [0, 1, 2])
    answers = connection.makefile()
    fork = int(answers.readline() or 0)

    def pass_on(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(fork, number)

    for number in SIGNALS:
        signal.signal(number, pass_on)
    status = answers.readline()
    return int(status) if status else 1


# ------------------------------------------------------------------------------------- the server


def start_server() -> None:
    """Start it for the programs of this process, and tell them where; it ends after this process."""
    os.environ[ADDRESS] = f"{tempfile.mkdtemp(prefix='gptgrid-')}/socket"
    from gptgrid.launch.allocator import environment_with_allocator

    paths = filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")))
    environment = {
        **environment_with_allocator(),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    # In a session of its own: what a terminal sends to all its programs, they pass on to their forks.
    command = [sys.executable, "-m", "gptgrid.launch.server", os.environ[ADDRESS]]
    subprocess.Popen(command, env=environment, start_new_session=True)


def serve() -> NoReturn:
    """Fork for each program that asks, until the process that started this one is gone."""
    parent, address = os.getppid(), Path(sys.argv[1])
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen(64)  # programs that come during the imports wait here
    for library in LIBRARIES:
        importlib.import_module(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever supervises a fork ends by itself
    while os.getppid() == parent:
        if not select.select([listener], [], [], 1.0)[0]:
            continue
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            supervise(connection)
        connection.close()
    address.unlink()
    address.parent.rmdir()
    os._exit(0)


def supervise(connection: socket.socket) -> NoReturn:
    """Run a program in a fork and report its end; end it if the one that asked is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    task, streams, _, _ = socket.recv_fds(connection, 2**20, 3)
    while not task.endswith(b"\n"):
        task += connection.recv(2**20)
    fork = os.fork()
    if fork == 0:
        connection.close()
        run(json.loads(task), streams)
    for stream in streams:
        os.close(stream)
    connection.send(f"{fork}\n".encode())
    while True:
        done, status = os.waitpid(fork, os.WNOHANG)
        if done:
            # As a shell says it: a program that a signal ended has 128 more than its number.
            code = os.waitstatus_to_exitcode(status)
            with suppress(OSError):
                connection.send(f"{code if code >= 0 else 128 - code}\n".encode())
            os._exit(0)
        if select.select([connection], [], [], PATIENCE)[0] and not connection.recv(1):
            os.kill(fork, signal.SIGKILL)


def run(task: dict, streams: list[int]) -> NoReturn:
    """Be the program, to its end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    for name in [name for name in sys.modules if name.startswith("gptgrid")]:
        del sys.modules[name]
    os.environ.clear()
    os.environ.update(task["environment"])
    os.chdir(task["folder"])
    sys.argv = task["argv"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
