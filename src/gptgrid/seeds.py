"""Independent random streams from one seed: `(seed, name, step)` names a stream, nothing else does."""

import hashlib

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
"""2^64 / golden ratio, odd: spreads consecutive numbers over the 64 bits."""


def derive(seed: int, name: str, step: int = 0) -> int:
    """Return a 63-bit seed for the stream `name` at `step`; streams are independent of each other."""
    digest = hashlib.sha256(f"{seed}/{name}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def mix64(values: np.ndarray) -> np.ndarray:
    """Return a well-mixed hash of each uint64; a bijection of the 64-bit numbers that leaves 0 in place.

    The finalizer of SplitMix64 (Steele et al. 2014). Not cryptography.
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def spread(count: int) -> np.ndarray:
    """Return the numbers below `count` in an order that depends on nothing else: (count,) int64.

    The first of them, however many, are spread over all: the beginning of a split may be unlike the rest.
    """
    # 0 would stay the first of all: the hash leaves 0 in place.
    return np.argsort(mix64(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)))
