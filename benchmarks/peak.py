"""What a processor can do at best: the whole that other programs here give shares of."""

import time
from collections.abc import Callable

import torch


def fastest_product(size: int, dtype: torch.dtype, device: str = "cpu") -> float:
    """Return the operations per second of the fastest product of square matrices.

    On a CPU torch has two libraries for it, and takes the slower one for fp32 on some processors.
    """
    left, right = torch.randn(2, size, size, device=device).to(dtype)
    with torch.inference_mode():
        ways: list[Callable[[], object]] = [lambda: left @ right]
        if device == "cpu":
            packed = torch.ops.mkldnn._reorder_linear_weight(right, size)
            ways.append(lambda: torch.ops.mkldnn._linear_pointwise(left, packed, None, "none", [], ""))
        return 2 * size**3 / min(shortest(way, device) for way in ways)


def fastest_reading() -> float:
    """Return the bytes per second that a CPU reads from memory."""
    large = torch.ones(2**26)
    return 4 * 2**26 / shortest(large.sum)


def shortest(run: Callable[[], object], device: str = "cpu", repeats: int = 12) -> float:
    """Return the shortest of some times, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
