"""Faults of a run that goes on: signals, full disks, edits, and other runs beside it."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.runs import Process, Run, kill, processes, wait_until
from faults.tree import STORE, forget

STAGES = ("corpus", "tokenizer", "encode", "train", "evaluate", "sample", "compare", "report")
RECEIPTS = {"corpus": 21, "train": 15, "evaluate": 12, "compare": 2}
"""Stage at which a run begins → how many artifacts of the chain are then to be made."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
VICTIMS = ("a program", "the server", "snakemake", "all")
DISKS = {
    "the store": "results/.store",
    "the views": "results/small",
    "data": "data",
    "logs": "logs",
    "downloads": "data/downloads",
}


def begin_anywhere(folder: Path, draw: random.Random) -> str:
    """Take away what the stages from one on have made, so that a run begins there; return that stage."""
    first = draw.choice(list(RECEIPTS))
    forget(folder, STAGES[STAGES.index(first) :])
    if first == "corpus":
        shutil.rmtree(folder / "data" / "downloads")
        shutil.rmtree(folder / "logs")
    return first


def wait_for_moment(folder: Path, run: Run, first: str, draw: random.Random) -> str:
    """Wait until so many artifacts are made by a run that begins at a stage, and a moment longer."""
    number, seconds = draw.randrange(RECEIPTS[first]), draw.uniform(0, 1.5)
    receipts = (folder / STORE / "keys").rglob
    before = len(list(receipts("*.json")))
    wait_until(lambda: len(list(receipts("*.json"))) >= before + number, run)
    end = time.monotonic() + (seconds if number else 3 * seconds)
    wait_until(lambda: time.monotonic() > end, run)
    return f"{number} receipts + {seconds:.2f} s"


def victims(folder: Path, run: Run, who: str, draw: random.Random) -> list[Process]:
    """Return the processes that a signal is sent to."""
    found = processes(folder)
    if who == "a program":
        # A fork of the server computes for a program; its parent is a fork, too, and only keeps watch.
        servers = {process.number: process for process in found if process.is_server}
        forks = [s for s in servers.values() if s.parent in servers and servers[s.parent].parent in servers]
        programs = [process for process in found if process.is_worker] + forks
        return [draw.choice(programs)] if programs else []
    if who == "the server":
        return [process for process in found if process.is_server and process.parent == run.process.pid]
    if who == "snakemake":
        return [process for process in found if process.number == run.process.pid]
    return found


def send(folder: Path, run: Run, who: str, number: int, draw: random.Random) -> int:
    """Send a signal; return how many processes got it."""
    wait_until(lambda: victims(folder, run, who, draw), run)
    chosen = victims(folder, run, who, draw)
    for process in chosen:
        kill(process.number, number)
    return len(chosen)


def can_mount(folder: Path) -> bool:
    """Say whether file systems can be mounted here."""
    place = folder / "mount"
    place.mkdir(exist_ok=True)
    try:
        mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", place)
    except (OSError, subprocess.CalledProcessError):
        return False
    unmount(place)
    return True


def mount(*arguments: str | Path) -> None:
    """Mount a file system."""
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def unmount(place: Path) -> None:
    """Unmount a file system, even one that a program still uses."""
    subprocess.run(["umount", "--lazy", place], check=True, capture_output=True)


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Callable[[], None]]:
    """Put a small file system in the place of a folder, with what lies in it; yield what enlarges it."""
    place.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f"{place.name}-before")
    shutil.copytree(place, aside)
    full = sum(-(-path.stat().st_size // 4096) * 4096 for path in aside.rglob("*") if path.is_file())
    mount("-t", "tmpfs", "-o", f"size={full + size}", "tmpfs", place)
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", place], check=True)
        shutil.rmtree(aside)
        yield lambda: mount("-o", "remount,size=256m", place)
    finally:
        unmount(place)


@contextmanager
def read_only(place: Path) -> Iterator[Callable[[], None]]:
    """Make a folder read-only, for root, too; yield what makes it writable."""
    mount("--bind", place, place)
    mount("-o", "remount,ro,bind", place)
    try:
        yield lambda: mount("-o", "remount,rw,bind", place)
    finally:
        unmount(place)
