"""Streams are independent of each other, and the hash is the published one."""

import numpy as np

from gptgrid.seeds import GOLDEN, derive, mix64, spread


def test_streams_differ_by_seed_name_and_step():
    seeds = {derive(seed, name, step) for seed in range(3) for name in ("a", "b") for step in range(3)}
    assert len(seeds) == 18 and all(0 <= seed < 2**63 for seed in seeds)


def test_mix64_is_that_of_splitmix64():
    """The first numbers of SplitMix64 with the seed 0, as its authors' program gives them."""
    counters = np.arange(1, 4, dtype=np.uint64) * np.uint64(GOLDEN)
    assert [hex(value) for value in mix64(counters).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_spread_orders_all_numbers_and_the_first_are_everywhere():
    order = spread(1000)
    assert sorted(order) == list(range(1000))
    first = np.sort(order[:100])
    assert np.histogram(first, 4, (0, 1000))[0].min() >= 15
    assert spread(0).tolist() == [] and spread(1).tolist() == [0]
