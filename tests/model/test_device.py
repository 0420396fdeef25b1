"""GPUs are claimed one program each. No GPU is needed: a claim is a lock on a name."""

import subprocess
import sys
from pathlib import Path

import pytest

from gptgrid.model import device

HOLD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from gptgrid.model.device import claim
print(claim(["a", "b"]), flush=True)
sys.stdin.read()
"""


def test_each_program_claims_a_free_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holders = []
    for expected in ("0\n", "1\n"):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        holders.append(holder)
        assert holder.stdout.readline() == expected
    waits: list[float] = []

    def free_the_second(seconds: float) -> None:
        waits.append(seconds)
        holders[1].kill()
        holders[1].wait()

    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(device.time, "sleep", free_the_second)
    assert device.claim(["a", "b"]) == 1
    assert len(waits) == 1
    for lock in device.CLAIMED:
        lock.release()
    for holder in holders:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()


def test_places_on_gpus_are_filled_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(device, "CLAIMED", [])
    monkeypatch.setattr(device.time, "sleep", lambda seconds: device.CLAIMED[2].release())
    assert [device.claim(["a", "b"], 2) for _ in range(4)] == [0, 1, 0, 1]
    assert device.claim(["a", "b"], 2) == 0  # the one that became free
    for lock in device.CLAIMED:
        lock.release()
