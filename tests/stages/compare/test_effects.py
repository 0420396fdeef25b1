"""effects.csv says what changing one thing alone changes, interactions.csv whether that depends on another."""

from collections import Counter

import pandas as pd
import pytest
from experiments import Experiment

from gptgrid.stages.compare.effects import references_of
from gptgrid.stages.compare.tables import compare

LAYERS = ({}, {"model.n_layer": 2}, {"model.n_layer": 8})


def run(experiment: Experiment) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return comparison.csv by group, the effects, and the interactions."""
    job = experiment.compare_job()
    compare(job)
    tables = (pd.read_csv(job.folder / f"{name}.csv") for name in ("comparison", "effects", "interactions"))
    groups, effects, interactions = tables
    return groups.set_index("group"), effects, interactions


def test_an_effect_is_the_mean_over_pairs_that_differ_in_nothing_else(tmp_path):
    groups, effects, _ = run(
        Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2", "llama"), (1, 2), LAYERS)
    )
    assert effects[["axis", "value", "reference", "pairs"]].values.tolist() == [
        ["tokenizer", "bpe", "char", 6],
        ["model", "llama", "gpt2", 6],
        ["model.n_layer", "2", "not overridden", 4],
        ["model.n_layer", "8", "not overridden", 4],
    ]
    bpb = groups["bpb_mean"]
    bpe = groups["tokenizer"] == "bpe"
    assert effects["effect"][0] == pytest.approx(bpb[bpe].mean() - bpb[~bpe].mean())
    assert (effects["effect_low"] < effects["effect"]).all()
    assert (effects["effect"] < effects["effect_high"]).all()
    # More pairs than those of one comparison know it better.
    assert effects["effect_high"][0] - effects["effect_low"][0] < 2 * groups["detectable"].min()


def test_a_value_overridden_by_itself_is_the_one_that_is_not_overridden(tmp_path):
    """`char·base` against `bpe·n_layer=4`, where the entry has four layers, differ in the tokenizer alone."""
    four = {"model.n_layer": 4}
    experiment = Experiment(tmp_path, ("tales",), ("char", "bpe"), ("llama",), (1, 2), ({}, four))
    experiment.cells = [
        cell for cell in experiment.cells if (cell["tokenizer"] == "bpe") == bool(cell["overrides"])
    ]
    for cell in experiment.cells:
        if cell["overrides"]:
            cell["repeated"] = list(four)
    groups, effects, _ = run(experiment)
    [row] = effects.to_dict("records")
    assert [row[key] for key in ("axis", "value", "reference", "pairs")] == ["tokenizer", "bpe", "char", 1]
    bpb = groups["bpb_mean"]
    difference = bpb["tales.bpe.llama+n_layer=4.base"] - bpb["tales.char.llama.base"]
    assert row["effect"] == pytest.approx(difference)


def test_an_interaction_is_how_much_an_effect_differs(tmp_path):
    groups, _, found = run(Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2", "llama"), (1, 2)))
    [row] = found.to_dict("records")
    bpb = [
        groups.loc[f"tales.{name}.base", "bpb_mean"]
        for name in ("char.gpt2", "char.llama", "bpe.gpt2", "bpe.llama")
    ]
    assert row["effect"] == pytest.approx(bpb[0] - bpb[1] - bpb[2] + bpb[3])
    assert [row[key] for key in ("axis", "value", "other_axis", "other_value", "pairs")] == [
        "tokenizer",
        "bpe",
        "model",
        "llama",
        1,
    ]


def test_a_grid_with_a_gap_has_no_interactions_and_pairs_what_is_there(tmp_path):
    failed = {f"train:tales.bpe.llama.base.s{seed}": "no memory" for seed in (1, 2)}
    _, effects, interactions = run(
        Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2", "llama"), (1, 2), failed=failed)
    )
    assert effects["pairs"].tolist() == [1, 1] and len(interactions) == 0


def test_only_what_varies_is_named_and_corpora_never_are(tmp_path):
    _, effects, interactions = run(
        Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2", "llama"), (1, 2))
    )
    assert effects[["text", "axis", "value"]].values.tolist() == [
        ["tales", "model", "llama"],
        ["toy", "model", "llama"],
    ]
    assert len(interactions) == 0


def test_a_single_group_has_no_effects(tmp_path):
    _, effects, _ = run(Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1, 2)))
    assert len(effects) == 0 and list(effects)[:4] == ["text", "axis", "value", "reference"]


def test_values_that_never_meet_the_first_have_no_effect(tmp_path):
    """Each is then another model, too: nothing says which of the two changed the figure."""
    failed = {
        f"train:tales.{name}.base.s{seed}": "no memory"
        for name in ("bpe.gpt2", "char.llama")
        for seed in (1, 2)
    }
    _, effects, _ = run(
        Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2", "llama"), (1, 2), failed=failed)
    )
    assert len(effects) == 0


def test_the_reference_is_the_value_that_meets_most(tmp_path):
    """The first model was run with one tokenizer, the others with another: they differ in nothing else."""
    models = ("gpt2", "llama", "encoder")
    gone = ("bpe.gpt2", "char.llama", "char.encoder")
    failed = {f"train:tales.{name}.base.s{seed}": "no memory" for name in gone for seed in (1, 2)}
    groups, effects, _ = run(Experiment(tmp_path, ("tales",), ("char", "bpe"), models, (1, 2), failed=failed))
    [row] = effects.to_dict("records")
    assert [row[key] for key in ("axis", "value", "reference", "pairs")] == ["model", "encoder", "llama", 1]
    bpb = groups["bpb_mean"]
    difference = bpb["tales.bpe.encoder.base"] - bpb["tales.bpe.llama.base"]
    assert row["effect"] == pytest.approx(difference)


@pytest.mark.parametrize(
    ("met", "found"),
    [
        ("ab ac bc", "b-a c-a"),
        # The first of those in most pairs.
        ("ab bc", "a-b c-b"),
        ("bc bc ab", "a-b c-b"),
        # What never meets it has another reference, one that is connected to it before one that is not.
        ("ab bc bc cd", "a-b c-b d-c"),
        ("ab ab ac cd de de de de", "a-c b-a c-d e-d"),
        ("ab cd", "b-a d-c"),
        ("", ""),
    ],
)
def test_references_of_values_that_seldom_meet(met, found):
    pairs = Counter(pair for a, b in met.split() for pair in ((a, b), (b, a)))
    values = sorted({*met} - {" "})
    assert references_of(values, pairs) == [tuple(pair.split("-")) for pair in found.split()]
