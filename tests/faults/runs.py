"""Running Snakemake in a tree, and reaching the processes of a run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LONGEST = 240.0
"""Seconds after which a run counts as hanging."""
COMMAND = "from gptgrid.cli.main import main; main()"


@dataclass
class Run:
    """A program that was started in a tree; what it says goes to a file, as leftovers may hold a pipe open."""

    process: subprocess.Popen
    says: Path

    def wait(self) -> tuple[int, str]:
        """Return the exit code, and what was said.

        Raises:
            TimeoutExpired: it hangs.
        """
        code = self.process.wait(LONGEST)
        return code, self.said()

    def said(self) -> str:
        """Return what was said so far."""
        return self.says.read_text(errors="replace")

    @property
    def goes_on(self) -> bool:
        return self.process.poll() is None


def start(folder: Path, *command: str, **environment: str) -> Run:
    """Start a Python program in a tree."""
    says = folder.parent / f"said-{folder.name}-{time.monotonic_ns()}.txt"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GPTGRID_")}
    with says.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**inherited, "PYTHONPATH": str(folder / "src"), **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Run(process, says)


def snakemake(folder: Path, *arguments: str, **environment: str) -> Run:
    """Start Snakemake in a tree."""
    return start(folder, "-m", "snakemake", "--cores", "2", *arguments, **environment)


def gptgrid(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the command `gptgrid` in a tree."""
    return start(folder, "-c", COMMAND, *arguments).wait()


@dataclass(frozen=True)
class Process:
    """A process of a run."""

    number: int
    parent: int
    command: str

    @property
    def is_worker(self) -> bool:
        """Whether it makes an artifact itself, or hands that to the server."""
        return "/workflow/scripts/" in self.command and not self.command.startswith(
            ("/bin/", "/usr/bin/bash")
        )

    @property
    def is_server(self) -> bool:
        """Whether it is the forking server, or one of its forks."""
        return "gptgrid.launch.server" in self.command


def processes(folder: Path) -> list[Process]:
    """Return the processes that work in a tree."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            if (entry / "cwd").readlink() != folder:
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            found.append(Process(int(entry.name), parent, command))
    return found


def kill(process: int, number: int = signal.SIGKILL) -> None:
    """Send a signal; a process that has ended is no mistake."""
    with suppress(ProcessLookupError):
        os.kill(process, number)


def kill_all(folder: Path) -> None:
    """End what still works in a tree."""
    while running := processes(folder):
        for process in running:
            kill(process.number)
        time.sleep(0.05)


def wait_until(condition: Callable[[], object], run: Run) -> bool:
    """Wait until something is so; return False if the run ended before."""
    while not condition():
        if not run.goes_on:
            return False
        time.sleep(0.02)
    return True
