"""With `evaluation.cross` every model is scored on the test split of every text of the grid, by itself."""

import copy
import csv
import json
from pathlib import Path

import pytest
from checkpoints import gpt2, write
from making import make, plan_of

from gptgrid.plan.accept import chosen
from gptgrid.plan.cost import Costs
from gptgrid.plan.show import by_name
from gptgrid.plan.verify import choose
from gptgrid.tokens.document_scores import read_document_scores, scores_path

TEXTS = {"red": "The fox is red, number", "blue": "A hen was blue and old,"}
CONFIG = {
    "corpora": {
        **{
            name: {
                "source": "files",
                "paths": [f"{name}.txt"],
                "document": "line",
                "split": {"by": "document"},
            }
            for name in TEXTS
        },
        "noise": {"source": "random", "vocab_size": 9, "tokens": 2000},
    },
    "tokenizers": {
        "bytes": {"kind": "bytes"},
        "char": {"kind": "char"},
        "fixed": {"kind": "bpe", "vocab_size": 260, "train_on": "red"},
        "ids": {"kind": "ids"},
    },
    "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 16}},
    "training": {"base": {"steps": 2, "batch_tokens": 64}},
    "evaluation": {"cross": True},
    "grid": [
        {"corpus": ["red", "blue"], "tokenizer": ["bytes", "char", "fixed"], "seed": [1, 2]},
        {"corpus": "noise", "tokenizer": "ids"},
    ],
}
CELLS = "results/default/cells"


@pytest.fixture(autouse=True)
def _texts() -> None:
    for name, line in TEXTS.items():
        Path(f"{name}.txt").write_text("".join(f"{line} {number}.\n" for number in range(200)))


def changed(**values: object) -> dict:
    """Return the configuration with other sections; None leaves one out."""
    config = copy.deepcopy(CONFIG) | values
    return {name: section for name, section in config.items() if section is not None}


def test_each_cell_of_a_text_is_scored_on_each_other_text_with_its_own_tokenizer():
    found = plan_of(CONFIG).artifacts
    crossed = [folder for folder in found if "/cross/" in folder and folder.startswith(CELLS)]
    assert crossed == [
        f"{CELLS}/{own}.{tokenizer}.small.base.s{seed}/cross/{other}"
        for own, other in (("red", "blue"), ("blue", "red"))
        for tokenizer in ("bytes", "char", "fixed")
        for seed in (1, 2)
    ]
    shards = {
        found[folder].inputs["shards"].folder: found[folder].inputs["shards"].inputs["tokenizer"].folder
        for folder in crossed
    }
    assert shards == {
        "data/shards/cross/bytes@blue": "data/tokenizers/bytes",
        "data/shards/cross/char@red@blue": "data/tokenizers/char@red",
        "data/shards/cross/fixed@red@blue": "data/tokenizers/fixed@red",
        "data/shards/cross/bytes@red": "data/tokenizers/bytes",
        "data/shards/cross/char@blue@red": "data/tokenizers/char@blue",
        "data/shards/cross/fixed@red@red": "data/tokenizers/fixed@red",
    }
    for folder in crossed:
        train = found[folder.split("/cross/")[0] + "/train"]
        assert found[folder].inputs["train"] is train
        assert found[folder].inputs["shards"].inputs["tokenizer"] is train.inputs["tokenizer"]
    names = [name for name in found["results/default/compare"].inputs if "cross" in name]
    assert len(names) == len(crossed) and "cross:blue:red.bytes.small.base.s1" in names


def test_it_adds_artifacts_and_changes_none():
    without, crossed = plan_of(changed(evaluation=None)), plan_of(CONFIG)
    keys = [
        {folder: plan.keys[made] for folder, made in plan.artifacts.items()} for plan in (without, crossed)
    ]
    assert {folder for folder, key in keys[0].items() if keys[1][folder] != key} == {
        "results/default/compare",
        "results/default/report",
    }
    assert all("/cross/" in folder for folder in keys[1].keys() - keys[0].keys())


def test_other_cells_of_the_grid_change_nothing_of_it():
    whole = plan_of(CONFIG)
    part = plan_of(
        changed(grid=[{"corpus": "red", "tokenizer": "bytes"}, {"corpus": "blue", "tokenizer": "char"}])
    )
    folder = f"{CELLS}/red.bytes.small.base.s1/cross/blue"
    assert part.keys[part.artifacts[folder]] == whole.keys[whole.artifacts[folder]]


def test_a_cell_is_a_cell_wherever_it_is_scored():
    plan = plan_of(CONFIG)
    name = "red.bytes.small.base.s1"
    assert [made.folder.split(f"{name}/")[1] for made in by_name(plan)[name]] == [
        "train",
        "evaluate",
        "cross/blue",
        "sample",
    ]
    assert f"{CELLS}/{name}/cross/blue" in [made.folder for made in choose(plan, ["red.bytes s1"])]
    accepted = [made.folder for made in chosen(plan, ["blue.bytes s1"])]
    assert f"{CELLS}/blue.bytes.small.base.s1/cross/red" in accepted
    assert not any(folder.startswith(f"{CELLS}/red") for folder in accepted)


def test_end_to_end_and_what_it_costs():
    plan = make(CONFIG)
    assert not plan.failures() and all(plan.there.values())
    cell = f"{CELLS}/red.char.small.base.s1"
    shards = plan.manifest(plan.artifacts["data/shards/cross/char@red@blue"])
    assert shards["facts"]["splits"].keys() == {"test"} and "about" not in shards["facts"]
    assert [name for name in shards["outputs"] if name.endswith(".bin")] == ["test-00000.bin"]

    found = json.loads(Path(cell, "cross/blue/evaluation.json").read_text())
    native = json.loads(Path(f"{CELLS}/blue.char.small.base.s1/evaluate/evaluation.json").read_text())
    assert found["text_digest"] == native["text_digest"] and found["bytes"] == native["bytes"]
    assert found["bpb"] != native["bpb"] and found["in_train"]["documents"] == 0
    one = read_document_scores(Path(cell, "cross/blue"), ("nats_sliding",))["test"]["nats_sliding"]
    assert scores_path(Path(cell, "cross/blue")).exists() and sum(one) == pytest.approx(found["nats"])

    with Path("results/default/compare/cross.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["text"], row["group"].split(".")[0]) for row in rows] == [
        *[("red", "red")] * 3,
        *[("red", "blue")] * 3,
        *[("blue", "red")] * 3,
        *[("blue", "blue")] * 3,
    ]
    of_cell = next(row for row in rows if row["text"] == "blue" and row["group"] == "red.char.small.base")
    other = json.loads(Path(cell[:-1] + "2", "cross/blue/evaluation.json").read_text())
    assert float(of_cell["bpb_mean"]) == pytest.approx((found["bpb"] + other["bpb"]) / 2)

    twice = copy.deepcopy(CONFIG)
    twice["evaluation"]["stride"] = 4
    plan = plan_of(twice)
    costs = Costs(plan)
    made = {
        artifact.folder.removeprefix(f"{cell}/"): artifact for artifact in by_name(plan)[cell.split("/")[-1]]
    }
    alone = {name: artifact for name, artifact in made.items() if not name.startswith("cross/")}
    assert costs.of_cell(made).flops > costs.of_cell(alone).flops


def test_a_checkpoint_of_others_is_scored_everywhere_and_what_it_has_seen_is_not_known():
    write(Path("ref"), gpt2())
    config = changed(
        tokenizers={"own": {"kind": "huggingface", "file": "ref/tokenizer.json"}},
        models={"ref": {"huggingface": "ref"}},
        training=None,
        grid=[{"corpus": ["red", "blue"]}],
    )
    plan = make(config)
    assert not plan.failures()
    cell = f"{CELLS}/red.own.ref.none.s1"
    assert json.loads(Path(f"{cell}/cross/blue/evaluation.json").read_text())["in_train"] is None
    with Path("results/default/compare/cross.csv").open() as file:
        rows = list(csv.DictReader(file))
    # One checkpoint, whichever cell has it.
    assert [(row["text"], row["group"], row["trained_on"], row["in_train"]) for row in rows] == [
        (text, f"{text}.own.ref.none", "", "") for text in ("red", "blue")
    ]
