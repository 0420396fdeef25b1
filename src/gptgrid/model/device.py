"""The device that a program computes on, and what makes its arithmetic repeatable."""

from __future__ import annotations

import os
import platform

import torch

from gptgrid.stage import UserError


def find_device(wanted: str) -> torch.device:
    """Return a device by name; `auto` takes cuda, then mps, then cpu.

    Raises:
        UserError: the machine has no such device.
    """
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    device = next(name for name, there in found.items() if there) if wanted == "auto" else wanted
    if not found.get(device):
        there = ", ".join(name for name, available in found.items() if available)
        raise UserError(f"device is {device!r}, but torch finds only {there} here; take one of these or auto")
    return torch.device(device)


def prepare_device(wanted: str, threads: int) -> torch.device:
    """Return the device and set thread count and determinism for this process.

    Args:
        wanted: `run.device`.
        threads: CPU threads, whatever the machine has: the order of sums depends on them.

    Raises:
        UserError: the machine has no such device.
    """
    device = find_device(wanted)
    torch.set_num_threads(threads)
    if device.type == "cuda":
        # On the CPU the kernels are repeatable as they are; here some must be chosen.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
    return device


def describe_device(device: torch.device) -> str:
    """Return the device in words, for the provenance."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name()})"
    return device.type if device.type == "cpu" else f"{device.type} ({platform.machine()})"
