"""Conversations stand whole in rows, as many as fit, and none sees another."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models import CONTEXT, ENCODERS, EOT, GPTS, VOCAB, make, named

from gptgrid.artifact.errors import UserError
from gptgrid.stages.finetune.packing import Packed, best_fit, pack
from gptgrid.tokens.conversation import Encoded
from gptgrid.trainer.batches import UNSCORED
from gptgrid.trainer.budget import total_steps

GENERATOR = np.random.default_rng(0)


def conversation(length: int) -> Encoded:
    """Return a conversation of so many tokens, of which some are answers: its last one, too."""
    ids = np.array([EOT, *GENERATOR.integers(EOT, size=length - 1)], dtype=np.uint32)
    answers = GENERATOR.random(length) < 0.4
    answers[0], answers[-1] = False, True
    return Encoded(ids, answers)


def conversations(count: int) -> list[Encoded]:
    return [conversation(int(length)) for length in GENERATOR.integers(2, CONTEXT + 2, size=count)]


def slow_best_fit(lengths, size):
    """Look at every bin for every item."""
    bins = []
    for item in sorted(range(len(lengths)), key=lambda item: -lengths[item]):
        room = [size - sum(lengths[other] for other in chosen) for chosen in bins]
        fitting = [left for left in room if left >= lengths[item]]
        if fitting:
            bins[room.index(min(fitting))].append(item)
        else:
            bins.append([item])
    return bins


@pytest.mark.parametrize("size", [1, 7, 64])
def test_each_goes_where_it_fits_best(size):
    lengths = GENERATOR.integers(1, size + 1, size=150).tolist()
    found, expected = best_fit(lengths, size), slow_best_fit(lengths, size)
    assert sorted(item for chosen in found for item in chosen) == list(range(150))

    def filled(bins):
        return sorted(sorted(lengths[item] for item in chosen) for chosen in bins)

    # Of bins with equal room, either may be taken: the room that is left is the same.
    assert sorted(map(sum, filled(found))) == sorted(map(sum, filled(expected)))
    assert all(sum(chosen) <= size for chosen in filled(found))


def test_short_and_long_ones_fill_rows():
    lengths = [10, 90, 40, 60, 50, 50, 100, 1]
    assert best_fit(lengths, 100) == [[6], [1, 0], [3, 2], [4, 5], [7]]


def test_rows_hold_each_conversation_whole_and_score_its_answers_alone():
    given = conversations(60)
    rows = pack(given, CONTEXT, EOT)
    found = []
    for inputs, targets, documents in zip(rows.inputs, rows.targets, rows.documents, strict=True):
        assert (np.diff(documents) >= 0).all()
        for document in range(documents[-1] + 1):
            mine = documents == document
            if (targets[mine] == UNSCORED).all():
                assert document == documents[-1] and (inputs[mine] == EOT).all()  # what is left of a row
            else:
                found.append((inputs[mine].tolist(), targets[mine].tolist()))
    expected = [
        (
            one.ids[:-1].tolist(),
            [
                int(token) if own else UNSCORED
                for token, own in zip(one.ids[1:], one.answers[1:], strict=True)
            ],
        )
        for one in given
    ]
    assert sorted(found) == sorted(expected)


def test_the_last_token_of_a_conversation_takes_no_room():
    rows = pack([conversation(CONTEXT + 1), conversation(7), conversation(7)], CONTEXT, EOT)
    assert len(rows) == 2 and (rows.documents[0] == 0).all()


@pytest.mark.parametrize("switches", [*GPTS, *ENCODERS], ids=named)
def test_logits_are_those_of_each_conversation_alone(switches):
    given = conversations(12)
    rows = pack(given, CONTEXT, EOT)
    module = make(**switches)
    compared = 0
    with torch.no_grad():
        parts = (rows.inputs, rows.documents)
        inputs, documents = (torch.from_numpy(part.astype(np.int64)) for part in parts)
        for row, logits in enumerate(module(inputs, documents=documents)):
            for document in documents[row].unique():
                mine = documents[row] == document
                alone = module(inputs[row][mine][None])[0]
                if (inputs[row][mine] == EOT).sum() > 1:
                    continue  # what is left of a row
                assert torch.allclose(logits[mine], alone, atol=1e-5, rtol=0)
                compared += 1
    assert compared >= len(given) and module.vocab_size == VOCAB


# ----------------------------------------------------------------------------------------- batches


def packed(count=50, rows=3, seed=1):
    return Packed(pack(conversations(count), CONTEXT, EOT), rows * CONTEXT, seed)


def test_each_epoch_has_every_row_once_in_another_order():
    batches = packed()
    steps = -(-2 * batches.per_epoch // batches.rows)
    rows = np.concatenate([batches[step][0] for step in range(steps)])
    epochs = [rows[: batches.per_epoch].tolist(), rows[batches.per_epoch : 2 * batches.per_epoch].tolist()]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(batches.packed.inputs.tolist())


def test_a_batch_follows_from_seed_and_step_alone():
    rows = packed().packed
    one, other, third = (Packed(rows, 3 * CONTEXT, seed) for seed in (1, 1, 2))
    late = other[40]
    for part, again, differs in zip(one[40], late, third[40], strict=True):
        assert part.dtype == np.int64 and np.array_equal(part, again)
        assert not np.array_equal(part, differs) or part is one[40][2]


def test_budgets_count_answers():
    batches = packed()
    scored = [int((batches[step][1] != UNSCORED).sum()) for step in range(40)]
    assert [batches.targets(steps) for steps in range(40)] == [sum(scored[:steps]) for steps in range(40)]
    training = SimpleNamespace(steps=None, tokens=sum(scored[:30]), epochs=None)
    assert total_steps(training, batches) == 30
    training.tokens += 1
    assert total_steps(training, batches) == 31
    training = SimpleNamespace(steps=None, tokens=None, epochs=2)
    assert total_steps(training, batches) == -(-2 * batches.per_epoch // batches.rows)


def test_a_batch_is_whole_rows():
    with pytest.raises(UserError, match=f"not a multiple of the model's context {CONTEXT}; take 24 or 36"):
        Packed(pack(conversations(3), CONTEXT, EOT), 30, 1)
