"""Samples are held against the corpus; the best other cell reads those of all cells on a text, in one artifact."""

import copy

import pytest
from making import make, plan_of

from gptgrid.config.read import ConfigError
from gptgrid.plan.causes import listed
from gptgrid.plan.cost import Costs

CONFIG = {
    "corpora": {
        "toy": {"source": "builtin"},
        "noise": {"source": "random", "vocab_size": 9, "tokens": 20000},
    },
    "tokenizers": {"bytes": {"kind": "bytes"}, "char": {"kind": "char"}, "ids": {"kind": "ids"}},
    "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 16}},
    "training": {"base": {"steps": 1, "batch_tokens": 64}},
    "sampling": {"prompts": ["a"], "max_new_tokens": 2, "decodings": {"greedy": {"temperature": 0}}},
    "grid": [
        {"corpus": "toy", "tokenizer": ["bytes", "char"], "seed": [1, 2]},
        {"corpus": "noise", "tokenizer": "ids"},
    ],
}
JUDGED = "results/default/samples/toy"
CELLS = ("corpus", "tokenizer", "encode", "train", "evaluate", "sample")
"""The stages without the overviews."""


def changed(**sampling: object) -> dict:
    config = copy.deepcopy(CONFIG)
    config["sampling"] |= sampling
    return config


def test_one_artifact_for_each_text_with_several_groups():
    found = plan_of(CONFIG).artifacts
    assert [folder for folder in found if "/samples/" in folder] == [JUDGED]
    assert len(found[JUDGED].inputs) == 3 * 4 and found[JUDGED].partial
    assert [cell["group"] for cell in found[JUDGED].config["cells"]] == [
        *["toy.bytes.small.base"] * 2,
        *["toy.char.small.base"] * 2,
    ]
    assert found["results/default/compare"].inputs["judged:toy"] is found[JUDGED]
    cell = found["results/default/cells/toy.bytes.small.base.s1/sample"]
    assert list(cell.inputs) == ["train", "corpus"]


def test_seeds_of_one_group_have_no_judge():
    config = {**CONFIG, "grid": [{"corpus": "toy", "tokenizer": "bytes", "seed": [1, 2]}]}
    assert not [folder for folder in plan_of(config).artifacts if "/samples/" in folder]


def test_beginnings_of_documents_are_continued_and_judged():
    plan = make(changed(prompts={"from": "test", "documents": 3, "take": "half"}))
    assert not plan.failures() and plan.manifest(plan.artifacts[JUDGED])["facts"]["cells"] == 4


def test_of_the_many_inputs_of_a_judge_a_plan_says_how_many_changed():
    judge = plan_of(CONFIG).artifacts[JUDGED]
    assert listed(judge, [*judge.inputs][:3]) == "3 of its 12 inputs"


def test_the_speed_of_sampling_is_that_of_cells_and_not_of_judges():
    assert Costs(make(CONFIG, *CELLS)).speeds.seconds_per_sample > 0


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ({"from": "test", "take": 1.5}, "sampling.prompts.take: found 1.5; input should be less than 1"),
        ({"from": "test", "take": 0}, "sampling.prompts.take: found 0"),
        ({"from": "train"}, "sampling.prompts.from: found 'train'"),
        ({"from": "test", "documnts": 3}, "sampling.prompts: unknown key 'documnts'"),
        ({"documents": 3}, "sampling.prompts.from: this key is missing"),
    ],
)
def test_documents_as_prompts_are_checked(prompts, said):
    with pytest.raises(ConfigError) as caught:
        plan_of(changed(prompts=prompts))
    assert said in str(caught.value)


def test_a_prompt_twice_is_refused():
    with pytest.raises(ConfigError) as caught:
        plan_of(changed(prompts=["a", "b", "a"]))
    said = "sampling.prompts: 'a' is there twice; `count` gives several continuations of one prompt"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("sampling", "lengths"),
    [
        ({"count": 3}, [2]),
        ({"count": 3, "decodings": {"drawn": {"temperature": 1}}}, [2] * 3),
        ({"count": 3, "decodings": {"beams": {"temperature": 1, "beams": 4}}}, [2] * 4),
        # Of bytes, the text has 8; the ends of documents add a little.
        ({"prompts": {"from": "test", "documents": 2}}, [9] * 2),
    ],
)
def test_the_tokens_of_samples_are_those_that_go_through_the_model(sampling, lengths):
    plan = make(changed(**sampling), "corpus", "tokenizer", "encode")
    sample = plan.artifacts["results/default/cells/toy.bytes.small.base.s1/sample"]
    assert Costs(plan).samples({"sample": sample}, None) == lengths


def test_tokens_of_documents_follow_the_bytes_of_a_token():
    config = changed(prompts={"from": "test", "documents": 2}, max_new_tokens=50)
    config["tokenizers"]["char"] = {"kind": "bpe", "vocab_size": 400}
    key = "results/default/cells/toy.char.small.base.s1/sample"
    plan = plan_of(config)
    assert Costs(plan).samples({"sample": plan.artifacts[key]}, None) == [50] * 2
    plan = make(config, "corpus", "tokenizer", "encode")
    (one, other) = Costs(plan).samples({"sample": plan.artifacts[key]}, None)
    assert one == other and 50 < one < 200
    config["sampling"]["decodings"] = {"beams": {"beams": 2}}
    plan = make(config, "corpus", "tokenizer", "encode")
    assert Costs(plan).samples({"sample": plan.artifacts[key]}, None) == [200] * 4


def test_bare_ids_continue_one_empty_prompt():
    plan = plan_of(changed(prompts=["a", "b"]))
    sample = plan.artifacts["results/default/cells/noise.ids.small.base.s1/sample"]
    assert Costs(plan).samples({"sample": sample}, None) == [2]


def test_one_continuation_a_prompt_is_no_cause():
    key = "results/default/cells/toy.bytes.small.base.s1/sample"
    plans = [plan_of(changed(**values)) for values in ({}, {"count": 1}, {"count": 2})]
    first, same, other = (plan.keys[plan.artifacts[key]] for plan in plans)
    assert first == same != other
