"""Random permutations and draws that are computed, not stored: any element in constant time and memory.

Works on whole arrays of indices at once. Not cryptography: the hash only has to mix well.
"""

import numpy as np

from gptgrid.seeds import GOLDEN, mix64

ROUNDS = 6
AT_ONCE = 2**16
"""Indices that are permuted at once where all are."""


def draw(counter: np.ndarray, key: int) -> np.ndarray:
    """Return 64 random bits for each counter (uint64), the same for the same counter and key."""
    return mix64(mix64(counter * np.uint64(GOLDEN) + np.uint64(key)) + np.uint64(key))


def permute(index: np.ndarray, size: int, key: int, epoch: np.ndarray) -> np.ndarray:
    """Return where each index goes under the permutation of [0, size) that (key, epoch) names.

    A Feistel network permutes the next larger power of four; an index that lands outside [0, size) goes
    through it again until it lands inside (Black and Rogaway 2002, cycle walking: at most 4 turns on
    average, and still a bijection).

    Args:
        index: (rows,) uint64 in [0, size).
        size: number of elements, at least 1.
        key: 63-bit seed.
        epoch: (rows,) uint64; each has its own permutation.

    Returns:
        (rows,) uint64 in [0, size).
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    turns = np.arange(ROUNDS, dtype=np.uint64)[:, None]
    keys = draw(epoch[None, :] * np.uint64(ROUNDS) + turns, key)
    image = feistel(index, keys, half)
    while (outside := image >= size).any():
        image[outside] = feistel(image[outside], keys[:, outside], half)
    return image


def order(size: int, key: int, epoch: int) -> np.ndarray:
    """Return the whole permutation that (key, epoch) names: (size,) int64."""
    image = np.empty(size, dtype=np.int64)
    for start in range(0, size, AT_ONCE):
        index = np.arange(start, min(start + AT_ONCE, size), dtype=np.uint64)
        image[start : start + AT_ONCE] = permute(index, size, key, np.full_like(index, epoch))
    return image


def feistel(values: np.ndarray, keys: np.ndarray, half: int) -> np.ndarray:
    """Permute the numbers of 2·half bits.

    Args:
        values: (rows,) uint64 below 4^half.
        keys: (ROUNDS, rows) uint64.
        half: bits of each of the two halves.
    """
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> bits, values & mask
    for key in keys:
        left, right = right, left ^ (mix64(right ^ key) & mask)
    return (left << bits) | right
