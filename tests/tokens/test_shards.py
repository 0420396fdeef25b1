"""Shards are llm.c's format, read as one sequence, and refuse what is damaged."""

from pathlib import Path

import numpy as np
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.shards import Shards, open_shards, read_shard, write_shard

IDS = np.random.default_rng(0).integers(0, 1000, 500)


def llm_c(path: Path) -> np.ndarray:
    """Read a shard as modded-nanogpt's and llm.c's data loaders do."""
    content = path.read_bytes()
    header = np.frombuffer(content[: 256 * 4], dtype=np.int32)
    magic, version, count = header[:3]
    assert (magic, version) in ((20240520, 1), (20240801, 7))
    dtype = np.uint16 if version == 1 else np.uint32
    tokens = np.frombuffer(content[256 * 4 :], dtype=dtype)
    assert len(tokens) == count
    return tokens


@pytest.mark.parametrize(("vocab_size", "width"), [(1000, 2), (65536, 2), (65537, 4), (100_000, 4)])
def test_other_readers_read_it(tmp_path: Path, vocab_size: int, width: int) -> None:
    ids = np.array([*IDS, vocab_size - 1])
    path = tmp_path / "train-00000.bin"
    assert write_shard(path, np.split(ids, [100, 100, 350]), vocab_size) == len(ids)
    assert llm_c(path).tolist() == ids.tolist()
    assert read_shard(path).tolist() == ids.tolist()
    assert path.stat().st_size == 1024 + width * len(ids)


def test_ids_beyond_the_vocabulary_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="id 7 lies outside the vocabulary of 7 tokens"):
        write_shard(tmp_path / "a.bin", [np.array([1, 7])], 7)


@pytest.fixture(params=[[500], [100, 250, 150], [1, 0, 499]])
def shards(request: pytest.FixtureRequest, tmp_path: Path) -> Shards:
    place = 0
    for number, size in enumerate(request.param):
        write_shard(tmp_path / f"train-{number:05}.bin", [IDS[place : place + size]], 1000)
        place += size
    return open_shards(tmp_path, "train")


def test_windows_cross_from_shard_to_shard(shards: Shards) -> None:
    assert len(shards) == 500
    starts = np.array([0, 1, 90, 99, 100, 340, 349, 350, 480])
    expected = np.stack([IDS[start : start + 20] for start in starts])
    found = shards.windows(starts, 20)
    assert found.dtype == np.int64
    assert (found == expected).all()
    assert (shards[95:360] == IDS[95:360]).all()
    assert (shards[0:1] == IDS[:1]).all()


def test_ids_are_taken_from_any_places(shards: Shards) -> None:
    places = np.array([[0, 499, 100], [99, 350, 100]])
    found = shards.take(places)
    assert found.dtype == np.int64
    assert (found == IDS[places]).all()


def test_document_starts(shards: Shards) -> None:
    eot = int(IDS[123])
    assert shards.document_starts(eot).tolist() == np.flatnonzero(eot == IDS).tolist()
    assert shards.document_starts(None).tolist() == [0]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda content: content[:-2], "it was cut off or changed"),
        (lambda content: content[:100], "its first number is None"),
        (lambda content: b"\0" * len(content), "its first number is 0"),
        (
            lambda content: content[:4] + b"\x09\0\0\0" + content[8:],
            "version 9; version 1 is what can be read",
        ),
    ],
)
def test_damage_is_explained(tmp_path: Path, damage, expected: str) -> None:
    path = tmp_path / "train-00000.bin"
    write_shard(path, [IDS], 1000)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=expected):
        open_shards(tmp_path, "train")


def test_missing_shards_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no valid-\*\.bin"):
        open_shards(tmp_path, "valid")
