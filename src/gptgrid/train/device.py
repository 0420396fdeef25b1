"""The device of a training and what makes its arithmetic repeatable."""

from __future__ import annotations

import os
import platform

import torch

from gptgrid.stage import UserError


def prepare_device(wanted: str, threads: int) -> torch.device:
    """Return the device and set thread count and determinism for this process.

    Args:
        wanted: `run.device`; `auto` takes cuda, then mps, then cpu.
        threads: CPU threads of the recipe, whatever the machine has: the order of sums depends on them.

    Raises:
        UserError: the machine has no such device.
    """
    torch.set_num_threads(threads)
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    device = next(name for name, there in found.items() if there) if wanted == "auto" else wanted
    if not found[device]:
        there = ", ".join(name for name, available in found.items() if available)
        raise UserError(
            f"run.device is {device}, but torch finds only {there} here; take one of these or auto"
        )
    if device == "cuda":
        # On the CPU the kernels are repeatable as they are; here some must be chosen.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
    return torch.device(device)


def describe_device(device: torch.device) -> str:
    """Return the device in words, for the provenance."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name()})"
    return device.type if device.type == "cpu" else f"{device.type} ({platform.machine()})"


def peak_memory(device: torch.device) -> dict[str, float]:
    """Return {"peak_memory_mb": …} where the device keeps its own account; else nothing."""
    if device.type != "cuda":
        return {}
    return {"peak_memory_mb": torch.cuda.max_memory_allocated() / 2**20}
