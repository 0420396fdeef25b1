"""Each kind of windows gives the tokens that it promises, for any step, in any order."""

from types import SimpleNamespace

import numpy as np
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.train.windows import UNSCORED, Windows

EOT = 99


class FakeShards:
    """Tokens in memory, with the interface of gptgrid.tokens.shards."""

    def __init__(self, tokens):
        self.tokens = np.asarray(tokens, dtype=np.int64)

    def __len__(self):
        return len(self.tokens)

    def windows(self, starts, length):
        assert starts.min() >= 0 and starts.max() + length <= len(self.tokens)
        return self.tokens[starts[:, None] + np.arange(length)]

    def document_starts(self, eot):
        return np.flatnonzero(self.tokens == eot)


def windows(tokens, kind="permuted", context=4, rows=3, stride=None, seed=1):
    training = SimpleNamespace(windows=kind, stride=stride, batch_tokens=rows * context)
    return Windows(FakeShards(tokens), training, context, seed, EOT)


def starts_of(made, steps):
    return np.concatenate([made[step][0][:, 0] for step in range(steps)])


def test_permuted_covers_each_epoch_once_in_a_new_order():
    made = windows(np.arange(4 * 6 + 1))  # 6 windows, 3 in a batch
    epochs = [starts_of(made, 4)[:6], starts_of(made, 4)[6:]]
    for epoch in epochs:
        assert sorted(epoch) == [0, 4, 8, 12, 16, 20]
    assert epochs[0].tolist() != epochs[1].tolist()


def test_targets_are_the_next_tokens():
    for kind in ("permuted", "sliding", "random"):
        inputs, targets = windows(np.arange(50), kind)[5]
        assert inputs.shape == targets.shape == (3, 4)
        assert (targets == inputs + 1).all()
        assert (np.diff(inputs) == 1).all()


def test_an_epoch_may_end_inside_a_batch():
    made = windows(np.arange(4 * 5 + 1))  # 5 windows, 3 in a batch
    starts = starts_of(made, 5)
    for epoch in starts.reshape(3, 5):
        assert sorted(epoch) == [0, 4, 8, 12, 16]
    assert made.epoch(5) == 3.0


def test_a_step_does_not_depend_on_those_before():
    for kind in ("permuted", "sliding", "random", "document"):
        tokens = np.where(np.arange(200) % 9 == 0, EOT, np.arange(200))
        first, second = windows(tokens, kind), windows(tokens, kind)
        for step in range(7):
            first[step]
        for a, b in zip(first[7], second[7], strict=True):
            assert (a == b).all()


def test_seeds_differ():
    tokens = np.arange(2000)
    assert starts_of(windows(tokens, seed=1), 3).tolist() != starts_of(windows(tokens, seed=2), 3).tolist()


@pytest.mark.parametrize(("stride", "expected"), [(None, [0, 2, 4, 6, 8]), (3, [0, 3, 6])])
def test_sliding_overlaps(stride, expected):
    made = windows(np.arange(13), "sliding", stride=stride, rows=1)
    assert sorted(starts_of(made, made.per_epoch)) == expected


def test_random_reaches_every_offset():
    made = windows(np.arange(9), "random", rows=50)
    assert set(starts_of(made, 4)) == {0, 1, 2, 3, 4}


def test_documents_are_cut_and_padded():
    text = [EOT, 1, EOT, 2, 3, 4, 5, 6, 7, EOT, 8, 9]
    made = windows(text, "document", rows=3)
    assert made.per_epoch == 3
    rows = {tuple(x): y.tolist() for x, y in zip(*made[0], strict=True)}
    by_second = {inputs[1]: (inputs, targets) for inputs, targets in rows.items()}
    assert by_second[1][1] == [1, EOT, UNSCORED, UNSCORED]  # learns to end
    assert by_second[2] == ((EOT, 2, 3, 4), [2, 3, 4, 5])  # cut to the context
    assert by_second[8][1] == [8, 9, UNSCORED, UNSCORED]  # nothing follows the last one


def test_one_window_is_enough_and_less_is_refused():
    assert windows(np.arange(5)).per_epoch == 1
    for kind in ("permuted", "sliding", "random"):
        with pytest.raises(UserError, match="has 4 tokens, but a window takes 5"):
            windows(np.arange(4), kind)


def test_refusals():
    training = SimpleNamespace(windows="permuted", stride=None, batch_tokens=10)
    with pytest.raises(UserError, match=r"batch_tokens 10 is not a multiple .* 8 or 12"):
        Windows(FakeShards(np.arange(50)), training, 4, 1, EOT)
    with pytest.raises(UserError, match="no document"):
        windows([EOT], "document")
    training = SimpleNamespace(windows="document", stride=None, batch_tokens=8)
    with pytest.raises(UserError, match="bare ids"):
        Windows(FakeShards(np.arange(50)), training, 4, 1, None)
