"""Token ids on the disk, in the format of llm.c, so that its readers and modded-nanogpt's read them too.

A header of 256 little-endian int32 (magic, version, number of tokens, zeros), then the tokens.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gptgrid.artifact.errors import UserError

HEADER = 256 * 4
FORMATS = {20240520: (1, np.dtype("<u2")), 20240801: (7, np.dtype("<u4"))}
"""Magic → version and type of a token: of GPT-2's and Llama 3's shards in llm.c."""


def format_for(vocab_size: int) -> int:
    """Return the magic number of the smallest format that holds a vocabulary."""
    return 20240520 if vocab_size <= 2**16 else 20240801


def write_shard(path: Path, chunks: Iterable[np.ndarray], vocab_size: int) -> int:
    """Write arrays of ids one after the other; return how many ids there are.

    Raises:
        UserError: an id lies outside the vocabulary.
    """
    magic = format_for(vocab_size)
    version, dtype = FORMATS[magic]
    total = 0
    with path.open("wb") as file:
        file.write(bytes(HEADER))
        for chunk in chunks:
            if len(chunk) and int(chunk.max()) >= vocab_size:
                raise UserError(f"id {int(chunk.max())} lies outside the vocabulary of {vocab_size} tokens")
            file.write(chunk.astype(dtype, copy=False).tobytes())
            total += len(chunk)
        header = np.zeros(256, dtype="<i4")
        header[:3] = magic, version, total
        file.seek(0)
        file.write(header.tobytes())
    return total


def read_shard(path: Path) -> np.ndarray:
    """Return the ids of a shard as an array that is read from the disk as needed.

    Raises:
        UserError: it is not a shard, or a damaged one.
    """
    size = path.stat().st_size
    header = np.fromfile(path, dtype="<i4", count=256)
    magic = int(header[0]) if len(header) == 256 else None
    if magic not in FORMATS:
        raise UserError(f"{path} is not a token shard: its first number is {magic}, not 20240520 or 20240801")
    version, dtype = FORMATS[magic]
    if header[1] != version:
        raise UserError(f"{path} has version {header[1]}; version {version} is what can be read")
    expected = HEADER + int(header[2]) * dtype.itemsize
    if size != expected:
        raise UserError(
            f"{path} has {size} bytes, but its header means {expected}; it was cut off or changed"
        )
    return np.memmap(path, dtype=dtype, mode="r", offset=HEADER, shape=(int(header[2]),))


class Shards:
    """The shards of a split as one sequence of ids."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self.arrays = arrays
        self.starts = np.cumsum([0, *map(len, arrays)])
        """Where each shard begins in the sequence, and where the last one ends."""

    def __len__(self) -> int:
        return int(self.starts[-1])

    def windows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """Return the ids (rows, length) int64 from each of `starts` (rows,) on.

        A window may cross from one shard to the next.
        """
        return self.take(starts[:, None] + np.arange(length))

    def take(self, places: np.ndarray) -> np.ndarray:
        """Return the ids at some places, int64, in the shape of `places`."""
        if len(self.arrays) == 1:
            return self.arrays[0][places].astype(np.int64)
        shards = np.searchsorted(self.starts, places, side="right") - 1
        ids = np.empty(places.shape, dtype=np.int64)
        for shard in np.unique(shards):
            inside = shards == shard
            ids[inside] = self.arrays[shard][places[inside] - self.starts[shard]]
        return ids

    def __getitem__(self, span: slice) -> np.ndarray:
        """Return the ids of a span as int64."""
        start, stop, _ = span.indices(len(self))
        first, last = np.searchsorted(self.starts, [start, max(start, stop - 1)], side="right") - 1
        parts = [
            self.arrays[shard][max(0, start - self.starts[shard]) : max(0, stop - self.starts[shard])]
            for shard in range(first, min(last, len(self.arrays) - 1) + 1)
        ]
        return np.concatenate(parts).astype(np.int64)

    def document_starts(self, eot: int | None) -> np.ndarray:
        """Return where documents begin (int64): at their end-of-text token; at 0 alone if there is none."""
        if eot is None:
            return np.zeros(1, dtype=np.int64)
        places = [
            start + np.flatnonzero(array == eot)
            for start, array in zip(self.starts, self.arrays, strict=False)
        ]
        return np.concatenate(places).astype(np.int64)


def open_shards(folder: Path, split: str) -> Shards:
    """Open the shards of a split.

    Raises:
        UserError: there are none, or one is damaged.
    """
    paths = sorted(folder.glob(f"{split}-*.bin"), key=os.fspath)
    if not paths:
        raise UserError(f"{folder} has no {split}-*.bin: it is not a finished artifact; run snakemake")
    return Shards([read_shard(path) for path in paths])
