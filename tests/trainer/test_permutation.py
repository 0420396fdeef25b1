"""The keyed permutation is a bijection for every size, and each key and epoch has its own."""

import numpy as np
import pytest

from gptgrid.trainer import permutation
from gptgrid.trainer.permutation import draw, permute


def order(size: int, key: int = 7, epoch: int = 0) -> list[int]:
    index = np.arange(size, dtype=np.uint64)
    return permute(index, size, key, np.full(size, epoch, dtype=np.uint64)).tolist()


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 1000, 4095, 4096, 4097, 100_003])
def test_bijection(size):
    assert sorted(order(size)) == list(range(size))


def test_a_whole_order_is_made_in_pieces(monkeypatch):
    monkeypatch.setattr(permutation, "AT_ONCE", 7)
    for size in (1, 7, 30):
        assert permutation.order(size, 7, 3).tolist() == order(size, epoch=3)


def test_keys_and_epochs_differ():
    orders = [order(500), order(500, key=8), order(500, epoch=1)]
    assert len(set(map(tuple, orders))) == 3


def test_an_index_goes_the_same_way_alone_and_among_others():
    whole = order(1000, epoch=3)
    alone = permute(np.array([421], dtype=np.uint64), 1000, 7, np.array([3], dtype=np.uint64))
    assert alone.tolist() == [whole[421]]


def test_huge_sizes_need_no_memory():
    index = np.array([0, 10**15], dtype=np.uint64)
    image = permute(index, 10**15 + 1, 7, np.zeros(2, dtype=np.uint64))
    assert len(set(image.tolist())) == 2 and (image <= 10**15).all()


def test_shuffles_evenly():
    """Over many epochs every place gets every element about equally often (chi-square, 24 degrees)."""
    size, epochs = 5, 4000
    counts = np.zeros((size, size))
    for epoch in range(epochs):
        counts[np.arange(size), order(size, epoch=epoch)] += 1
    expected = epochs / size
    assert ((counts - expected) ** 2 / expected).sum() < 60


def test_draws_are_even():
    values = draw(np.arange(100_000, dtype=np.uint64), key=3) % np.uint64(10)
    assert np.bincount(values.astype(int)).std() < 300
