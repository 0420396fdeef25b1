"""Memory: what a model takes, by shapes alone, and what the machine has left.

On Linux a program that takes more than there is may be killed without a word, so whoever builds a model asks
here first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.variants import Variants
from gptgrid.model.cost import count_parameters
from gptgrid.model.feedforward import ACTIVATIONS
from gptgrid.model.parametrization import head_width

if TYPE_CHECKING:
    from gptgrid.config.models import Model

SAVED_VECTORS = Variants({"rope": 2, "rmsnorm": 2})
"""`position` or `norm` of a model → vectors that it adds to a block's activations: of the heads' width, or of
the model's."""
ROWS = 64
"""Texts that are continued together at most."""
PROC_CGROUP, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def activation_bytes(
    config: Model, vocab_size: int, n_layer: int | None = None, bytes_per_number: int = 4
) -> int:
    """Return about how many bytes the activations of one token take.

    A block keeps four vectors of the width (both sums and norms), four of all heads (queries, keys, values,
    attention), some more for rotations, gains of RMSNorm and dropout, and those of the feed-forward width.
    Attention maps are kept where dropout needs them: the kernels that go without them have none on the CPU.
    Logits and loss take three vectors of the vocabulary, in fp32.

    Args:
        config: a resolved entry of `models`.
        vocab_size: columns of the logits.
        n_layer: blocks whose activations are there at the same time; None for all.
        bytes_per_number: in the blocks.
    """
    vectors = 4 + SAVED_VECTORS.get(config.norm, 0) + 2 * (config.dropout > 0)
    of_heads = (4 + SAVED_VECTORS.get(config.position, 0)) * config.n_head * head_width(config)
    hidden = ACTIVATIONS[config.activation].saved
    if config.preset == "encoder" and config.dropout:
        hidden += 2  # it drops in the middle of the feed-forward sublayer, too
    maps = 3 * config.n_head * config.context if config.dropout else 0
    block = vectors * config.d_model + of_heads + hidden * config.d_ff + maps
    blocks = (config.n_layer if n_layer is None else n_layer) * block
    return bytes_per_number * blocks + 4 * 3 * vocab_size


def cache_bytes(config: Model) -> int:
    """Return the bytes of keys and values of a text that is continued: of a whole context, in fp32."""
    if config.preset == "encoder":
        return 0  # keeps none
    return 4 * 2 * config.n_layer * config.n_kv_head * head_width(config) * config.context


def check_inference(
    config: Model, vocab_size: int, rows: int, device: torch.device, generates: bool = False
) -> None:
    """Refuse to read a trained model that does not fit.

    Args:
        config: a resolved entry of `models`.
        vocab_size: columns of the logits.
        rows: texts of a whole context in one forward pass.
        device: where it computes.
        generates: texts are continued, with keys and values kept.

    Raises:
        UserError: there is too little memory.
    """
    weights = 4 * count_parameters(config, vocab_size)
    activations = activation_bytes(config, vocab_size, n_layer=1) * config.context * rows
    reading = {"weights as they are read": weights, "weights of the model": weights}
    advice = "lower the model's d_ff, d_model, n_layer or context, or use a machine with more memory"
    if device.type != "cpu":
        check_memory(reading, torch.device("cpu"), advice)
        reading = {"weights of the model": weights}
    else:
        reading["matrices as the processor reads them fastest"] = weights
    if generates:
        # Twice while prompts are read, or texts that are full of context.
        reading[f"keys and values of {rows} texts"] = 2 * rows * cache_bytes(config)
    check_memory({**reading, f"activations of {rows * config.context} tokens": activations}, device, advice)


def rows_that_fit(config: Model, vocab_size: int, rows: int, device: torch.device) -> int:
    """Return how many of some texts the memory lets go on together, ROWS at most.

    Raises:
        UserError: not even one.
    """
    rows = min(rows, ROWS)
    while True:
        try:
            check_inference(config, vocab_size, rows, device, generates=True)
        except UserError:
            if rows == 1:
                raise
            rows //= 2
        else:
            return rows


def check_memory(needed: dict[str, int], device: torch.device, advice: str) -> None:
    """Refuse work that takes more memory than there is.

    Args:
        needed: what takes memory → bytes.
        device: where it takes it.
        advice: which keys to lower.

    Raises:
        UserError: there is too little.
    """
    total, left = sum(needed.values()), memory_left(device)
    if total <= left:
        return
    parts = ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in needed.items())
    there = f"{left / 1e9:.2f} GB"
    there = f"the GPU has {there}" if device.type == "cuda" else f"this machine has {there} left"
    raise UserError(f"out of memory: about {total / 1e9:.2f} GB are needed ({parts}), but {there}; {advice}")


def memory_left(device: torch.device) -> int:
    """Return the bytes that a program may still take: of a GPU all of its memory, as others may leave it."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return min([psutil.virtual_memory().available, *cgroup_memory_left()])


def cgroup_memory_left() -> Iterator[int]:
    """Yield what each control group around this process may still take; nothing where there is no limit.

    Containers and batch systems limit memory by control groups, of version 1 or 2.
    """
    try:
        lines = PROC_CGROUP.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, usage, prefix = CGROUPS, "memory.max", "memory.current", ""
        elif "memory" in controllers.split(","):
            root, limit, usage = CGROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            prefix = "total_"
        else:
            continue
        folder = root / path.lstrip("/")
        # Inside a container the path may be that of the host: the root is then the container's own group.
        for group in (folder, *folder.parents):
            if not group.is_relative_to(root):
                break
            try:
                most, used = (group / limit).read_text().strip(), int((group / usage).read_text())
                statistics = dict(row.split() for row in (group / "memory.stat").read_text().splitlines())
            except OSError:
                continue
            if most != "max":
                # Cached files give way.
                cached = sum(int(statistics[f"{prefix}{kind}_file"]) for kind in ("active", "inactive"))
                yield int(most) - used + cached
