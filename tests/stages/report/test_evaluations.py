"""What evaluations say of a group: means over its cells, and nothing of those whose figures are withheld."""

import math

import pytest

from gptgrid.stages.report.evaluations import about_group

GROUP = {"rank": 1, "diverged": 0}
BINS = [{"from": 1, "to": 1, "tokens": 10, "nats": 40.0}, {"from": 2, "to": 99, "tokens": 30, "nats": 60.0}]


def evaluation(accuracy: float, nats: float, **changes: object) -> dict:
    of_items = {"accuracy": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1}
    items = {"items": 9, "chance": 0.5, **of_items}
    bins = [part | {"nats": part["nats"] * nats} for part in BINS]
    return {
        "convention": "sliding",
        "sliding": {"context": 64, "bpb": nats, "test_loss": 2.5 * nats},
        "scored_tokens": 40,
        "bytes": 100,
        "in_train": {},
        "tasks": {"pairs": {**items, "longer_than_context": 4, "by_group": {"a": {**items}}}},
        "breakdowns": {"position": {"definition": "…", "sliding": [], "disjoint": bins}},
        **changes,
    }


def about(*evaluations: dict | None, status: str = "finished", group: dict = GROUP) -> dict:
    cells = [({"cell": f"s{n}", "status": status}, each) for n, each in enumerate(evaluations)]
    return about_group(group, cells, set())


def test_a_task_is_the_mean_and_its_interval_reaches_over_all_seeds():
    found = about(evaluation(0.6, 1), evaluation(0.8, 1))
    expected = {"items": 9, "chance": 0.5, "accuracy": 0.7, "low": 0.5, "high": 0.9}
    assert found["tasks"] == {"pairs": pytest.approx({**expected, "longer": 4})}
    assert found["by_group"]["pairs"]["a"] == pytest.approx(expected)


def test_positions_are_those_of_windows_side_by_side_in_bits_per_byte():
    positions = about(evaluation(0.6, 0.5), evaluation(0.6, 1.5))["positions"]
    assert (positions["from"], positions["to"]) == ([1, 2], [1, 64])
    per_byte = 40 / 100 / math.log(2)
    assert positions["loss"] == pytest.approx([4 * per_byte, 2 * per_byte], rel=1e-4)
    ids = about(evaluation(0.6, 1, bytes=None))["positions"]
    assert ids["loss"] == [4, 2]


def test_parts_have_their_share_of_the_tokens():
    (first, second) = about(evaluation(0.6, 1))["breakdowns"]["position"]["parts"]
    assert first == {"name": "1", "order": 1, "tokens": 0.25, "loss": 4}
    assert second == {"name": "2 to 99", "order": 2, "tokens": 0.75, "loss": 2}


def test_contexts_stand_beside_that_of_the_training():
    beyond = {"context": 128, "bpb": None, "test_loss": None, "reason": "no such position"}
    shorter = {"context": 16, "bpb": 3.0, "test_loss": 4.0, "reason": None}
    found = about(*(evaluation(0.6, nats, contexts=[beyond, shorter]) for nats in (1, 2)))["contexts"]
    assert [(context, row["own"], row["bpb"]) for context, row in found.items()] == [
        (16, False, 3.0),
        (64, True, 1.5),
        (128, False, None),
    ]
    assert found[128]["reason"] == "no such position"


@pytest.mark.parametrize(
    ("status", "group"),
    [("failed", GROUP), ("diverged", {**GROUP, "diverged": 1})],
    ids=("failed", "diverged"),
)
def test_figures_that_the_tables_withhold_are_not_shown(status, group):
    found = about(evaluation(0.6, 1), status=status, group=group)
    withheld = {"tasks": {}, "positions": None, "contexts": {}, "breakdowns": {}, "by_group": {}}
    assert found == {"evaluated": 1, "audited": 1, **withheld}


def test_an_evaluation_of_an_older_source_has_less():
    old = {"convention": "sliding", "sliding": {"definition": "…"}, "scored_tokens": 40, "bytes": 100}
    found = about(old, evaluation(0.6, 1))
    assert (found["evaluated"], found["audited"]) == (2, 1)
    assert found["tasks"]["pairs"]["accuracy"] == 0.6


def test_details_are_those_of_the_best_groups():
    found = about(evaluation(0.6, 1), group={"rank": 4, "diverged": 0})
    assert (found["breakdowns"], found["by_group"]) == ({}, {})
    assert found["tasks"] and found["positions"]
