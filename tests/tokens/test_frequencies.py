"""What a model takes that knows the frequencies of tokens alone."""

import math

import numpy as np
import pytest

from gptgrid.tokens.frequencies import guessing, token_counts
from gptgrid.tokens.shards import Shards


def shards(ids):
    return Shards([np.array(ids, dtype=np.uint16)])


def test_guessing_by_frequency_by_hand():
    """Of 4 tokens 0 stood there three times and 1 once; half of the vocabulary is new, and equally likely."""
    counts = token_counts(shards([0, 0, 0, 1]), 4)
    assert counts.tolist() == [3, 1, 0, 0]
    shares = [(3 + 0.5) / 6, (1 + 0.5) / 6]
    by_hand = -(math.log(shares[0]) + math.log(shares[1])) / 2
    assert guessing(counts, shards([0, 1])) == pytest.approx(by_hand)
    # What never stood there is guessed no worse than among all tokens.
    assert guessing(counts, shards([2])) == pytest.approx(math.log(4))
