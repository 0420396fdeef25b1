"""Where an artifact was made: time, machine, library versions, commit. Nothing here decides a result."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LIBRARIES = (
    "gptgrid",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "rustbpe",
    "safetensors",
    "scipy",
    "snakemake",
    "tiktoken",
    "tokenizers",
    "torch",
)


def describe_environment() -> dict[str, Any]:
    """Return the facts that a reader needs to explain a result that differs."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": cpu_model(),
        "cpu_count": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": versions(),
        **git_state(),
    }


def cpu_model() -> str:
    """Return the processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return library → version for the libraries that this process has loaded."""
    loaded = [name for name in LIBRARIES if name in sys.modules]
    found = {}
    for name in loaded:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a package on the path that was never installed
    return found


def git_state() -> dict[str, Any]:
    """Return the commit of the source and whether it had uncommitted changes; None outside git."""
    root = Path(__file__).parent
    command = [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--abbrev=40",
        "--dirty",
        "--exclude=*",
    ]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
    return {"commit": answer.removesuffix("-dirty"), "dirty": answer.endswith("-dirty")}
