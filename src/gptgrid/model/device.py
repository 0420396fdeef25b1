"""The device that a program computes on, and what makes its arithmetic repeatable."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from itertools import product
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from gptgrid.artifact.errors import UserError
from gptgrid.launch.allocator import keep_freed_memory

CLAIMED: list[FileLock] = []
"""Locks that this process holds; the system lets go of them when it ends, however it ends."""


def find_device(name: str) -> torch.device:
    """Return a device by name; `auto` takes cuda, then mps, then cpu.

    Raises:
        UserError: the machine has no such device.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [device for device, is_there in present.items() if is_there]
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise UserError(
            f"device is {name!r}, but torch finds only {', '.join(available)} here; take one of these or auto"
        )
    return torch.device(name)


def prepare_device(name: str, threads: int, programs_per_gpu: int = 1) -> torch.device:
    """Return the device and set thread count and determinism for this process.

    Args:
        name: `run.device`.
        threads: CPU threads, whatever the machine has: the order of sums depends on them.
        programs_per_gpu: how many programs may compute on one GPU at the same time.

    Raises:
        UserError: the machine has no such device.
    """
    device = find_device(name)
    torch.set_num_threads(threads)
    keep_freed_memory()
    if device.type == "cuda":
        # On the CPU the kernels are repeatable as they are; here some must be chosen.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
        names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
        device = torch.device("cuda", claim(names, programs_per_gpu))
        torch.cuda.set_device(device)
    return device


def claim(names: list[str], programs: int = 1) -> int:
    """Take a place on the GPU that has most left, until this process ends; wait if there is none.

    Snakemake counts GPUs but does not say which is free.

    Args:
        names: what tells the GPUs apart on this machine, whatever part of them a program sees.
        programs: places on each GPU.

    Returns:
        The place of the GPU among `names`.
    """
    folder = Path(tempfile.gettempdir())
    while True:
        # The first places of all GPUs come before the second ones of any.
        for number, (place, name) in product(range(programs), enumerate(names)):
            # A singleton: what this process holds, it may take again.
            path = folder / f"gptgrid-gpu-{name}-{number}.lock"
            lock = FileLock(path, mode=0o666, is_singleton=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            CLAIMED.append(lock)
            return place
        print(f"waiting: all {len(names)} GPUs are taken", flush=True)
        time.sleep(5)


def describe_device(device: torch.device) -> str:
    """Return the device in words, for the provenance."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name()})"
    return device.type if device.type == "cpu" else f"{device.type} ({platform.machine()})"
