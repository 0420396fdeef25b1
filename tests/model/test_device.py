"""GPUs are claimed one program each. No GPU is needed: a claim is a lock on a name."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gptgrid.model import device

HOLD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from gptgrid.model.device import claim
print(claim(["a", "b"], int(sys.argv[2])), flush=True)
sys.stdin.read()
"""


class Holders:
    """Programs that hold a place on one of two GPUs, until they are killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def start(self, programs: int) -> int:
        """Start one more; return its GPU."""
        command = [sys.executable, "-c", HOLD, str(self.folder), str(programs)]
        self.running.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        return int(self.running[-1].stdout.readline())

    def kill(self, number: int) -> None:
        """End one of them."""
        self.running[number].kill()
        self.running[number].communicate()


@pytest.fixture
def holders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Holders]:
    """Return programs that hold GPUs; what this process claims, it lets go of in the end."""
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(device, "CLAIMED", [])
    holders = Holders(tmp_path)
    yield holders
    for lock in device.CLAIMED:
        lock.release(force=True)
    for number, program in enumerate(holders.running):
        if program.poll() is None:
            holders.kill(number)


@pytest.mark.parametrize(("programs", "places"), [(1, [0, 1]), (2, [0, 1, 0, 1])])
def test_programs_fill_gpus_evenly_and_wait_for_a_free_one(holders, monkeypatch, programs, places) -> None:
    assert [holders.start(programs) for _ in places] == places
    waits: list[float] = []

    def free_the_second(seconds: float) -> None:
        waits.append(seconds)
        holders.kill(1)

    monkeypatch.setattr(device.time, "sleep", free_the_second)
    assert device.claim(["a", "b"], programs) == 1
    assert len(waits) == 1


def test_a_program_keeps_its_gpu_when_it_asks_again(holders) -> None:
    assert holders.start(1) == 0
    assert [device.claim(["a", "b"]) for _ in range(3)] == [1, 1, 1]
