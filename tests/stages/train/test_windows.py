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
        return self.take(starts[:, None] + np.arange(length))

    def take(self, places):
        assert places.min() >= 0 and places.max() < len(self.tokens)
        return self.tokens[places]

    def document_starts(self, eot):
        return np.flatnonzero(self.tokens == eot)


def windows(tokens, kind="permuted", context=4, rows=3, stride=None, seed=1, budget=None):
    training = SimpleNamespace(
        **{"windows": kind, "stride": stride, "batch_tokens": rows * context, **(budget or {})}
    )
    return Windows(FakeShards(tokens), training, context, seed, EOT)


def starts_of(made, steps):
    return np.concatenate([made[step][0][:, 0] for step in range(steps)])


def epochs_of(made, count):
    """Return where the windows of the first epochs begin: (count, per_epoch)."""
    starts = starts_of(made, -(-count * made.per_epoch // made.rows))
    return starts[: count * made.per_epoch].reshape(count, made.per_epoch)


@pytest.mark.parametrize("length", [5, 6, 7, 8, 9, 12, 13, 25, 26, 28, 101])
def test_permuted_reads_each_epoch_side_by_side_but_for_less_than_a_window_at_each_end(length):
    made = windows(np.arange(length))
    for epoch in np.sort(epochs_of(made, 50)):
        assert epoch[0] < 4 and epoch[-1] + 2 * 4 > length - 1
        apart = np.diff(epoch)
        # At either end one window may be moved to lie inside the text.
        assert (apart[1:-1] == 4).all() and (apart <= 4).all() and (apart > 0).all()
        assert len(epoch) == (length - 1) // 4


def test_epochs_differ_in_order_and_in_offsets():
    made = windows(np.arange(4 * 30 + 1))
    epochs = epochs_of(made, 40)
    assert len({tuple(epoch) for epoch in epochs}) == 40
    assert {int(epoch[9] % 4) for epoch in np.sort(epochs)} == {0, 1, 2, 3}
    assert len({tuple(epoch) for epoch in np.sort(epochs)}) == 4


@pytest.mark.parametrize(("kind", "stride"), [("permuted", None), ("sliding", None), ("sliding", 3)])
def test_over_many_epochs_each_token_is_a_target_equally_often_but_near_the_ends(kind, stride):
    length, context, epochs = 102, 8, 400
    made = windows(np.arange(length), kind, context, stride=stride)
    targets = epochs_of(made, epochs)[..., None] + np.arange(1, context + 1)
    counts = np.bincount(targets.ravel(), minlength=length)[1:]
    expected = epochs * context / made.stride
    inside = counts[context:-context]
    if made.stride == context:
        assert (inside[context:-context] == epochs).all()
    assert inside == pytest.approx(np.full(len(inside), expected), rel=0.1)
    # Each end has its windows, too, and neither has more of them than the other.
    assert counts[:context].sum() == pytest.approx(counts[-context:].sum(), rel=0.15)
    assert (counts > 0).all() and counts.max() < 2 * expected


def test_targets_are_the_next_tokens():
    for kind in ("permuted", "sliding", "random"):
        inputs, targets = windows(np.arange(50), kind)[5]
        assert inputs.shape == targets.shape == (3, 4)
        assert (targets == inputs + 1).all()
        assert (np.diff(inputs) == 1).all()


def test_an_epoch_may_end_inside_a_batch():
    made = windows(np.arange(4 * 5 + 1))  # 5 windows, 3 in a batch
    for epoch in epochs_of(made, 3):
        assert len(set(epoch)) == 5
    assert made.epoch(5) == 3.0


def test_a_step_does_not_depend_on_those_before():
    for kind in ("permuted", "shuffled", "sliding", "random", "document"):
        tokens = np.where(np.arange(200) % 9 == 0, EOT, np.arange(200))
        first, second = windows(tokens, kind), windows(tokens, kind)
        for step in range(7):
            first[step]
        for a, b in zip(first[7], second[7], strict=True):
            assert (a == b).all()


def test_seeds_differ():
    tokens = np.arange(2000)
    assert starts_of(windows(tokens, seed=1), 3).tolist() != starts_of(windows(tokens, seed=2), 3).tolist()


@pytest.mark.parametrize(
    ("stride", "expected"),
    [
        (None, [[0, 2, 4, 6, 8], [1, 3, 5, 7, 8]]),
        (3, [[0, 3, 6], [1, 4, 7], [2, 5, 8]]),
        (1, [[0, 1, 2, 3, 4, 5, 6, 7, 8]]),
    ],
)
def test_sliding_overlaps(stride, expected):
    made = windows(np.arange(13), "sliding", stride=stride, rows=1)
    found = {tuple(epoch) for epoch in np.sort(epochs_of(made, 30)).tolist()}
    assert sorted(found) == [tuple(epoch) for epoch in expected]


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


def text_of(lengths):
    """Return documents with so many targets each."""
    return np.concatenate([[EOT, *range(length - 1)] for length in lengths] + [[EOT]])


@pytest.mark.parametrize("kind", ["permuted", "shuffled", "sliding", "random", "document"])
def test_a_budget_is_the_fewest_steps_that_score_so_many_targets(kind):
    """Against batches that are counted: padding is no target."""
    made = windows(text_of([1, 7, 2, 3, 1, 4, 9]), kind)
    scored = [int((made[step][1] != UNSCORED).sum()) for step in range(40)]
    reached = np.cumsum(scored)
    assert [made.targets(steps) for steps in range(41)] == [0, *reached]
    for tokens in range(1, reached[-1]):
        assert made.steps_to_score(tokens) == np.argmax(reached >= tokens) + 1


def test_padding_is_no_part_of_a_budget_or_of_an_automatic_batch():
    text = text_of([1] * 50)
    made = windows(text, "document", context=16, rows=2)
    assert made.steps_to_score(100) == 50  # 100 documents, 2 a batch; 4 would do if padding counted
    # 0.58 · 1000^0.571 = 30 targets: 30 documents of one target each, or 2 windows of 16.
    tokens = {"batch_tokens": "auto", "tokens": 1000, "epochs": None}
    for budget in (tokens, {**tokens, "tokens": None, "epochs": 20}):
        assert windows(text, "document", context=16, budget=budget).rows == 30
    assert windows(text, context=16, budget=tokens).rows == 2


def test_one_window_is_enough_and_less_is_refused():
    assert windows(np.arange(5)).per_epoch == 1
    for kind in ("permuted", "shuffled", "sliding", "random"):
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
