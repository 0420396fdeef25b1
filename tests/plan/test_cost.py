"""What a plan says of a training is what the training does."""

import copy

import pytest
from making import make, plan_of

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.manifest import read_manifest, read_provenance
from gptgrid.model import score
from gptgrid.model.build import build
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import Rows
from gptgrid.plan.cost import Cost, Costs, sampled_positions, scored_positions
from gptgrid.plan.plan import Plan
from gptgrid.plan.speed import Speed

CONFIG = {
    "corpora": {
        "toy": {"source": "builtin", "documents": 40, "clean": {"max_chars": 400}},
        "noise": {"source": "random", "vocab_size": 40, "tokens": 4000, "document_tokens": 50},
    },
    "tokenizers": {"char": {"kind": "char"}, "ids": {"kind": "ids"}},
    "models": {"small": {"n_layer": 1, "n_head": 2, "d_model": 8, "context": 32}},
    "training": {
        "steps": {"steps": 6, "batch_tokens": 64},
        "tokens": {"tokens": 300, "batch_tokens": 64},
        "part": {"epochs": 0.3, "batch_tokens": 64},
        "epochs": {"epochs": 1.7, "batch_tokens": 128},
        "auto": {"epochs": 1, "batch_tokens": "auto"},
        "auto-tokens": {"tokens": 1000, "batch_tokens": "auto"},
        "random": {"base": "part", "windows": "random"},
        "sliding": {"base": "part", "windows": "sliding"},
        "dense": {"epochs": 0.02, "batch_tokens": 64, "windows": "sliding", "stride": 1},
        "document": {"epochs": 2.6, "batch_tokens": 64, "windows": "document"},
        "document-steps": {"base": "steps", "windows": "document"},
        "document-tokens": {"base": "tokens", "windows": "document"},
        "document-auto": {"base": "auto-tokens", "windows": "document", "weight_decay": "auto"},
        "large-batch": {"steps": 1, "batch_tokens": 16384},
        "longer": {"base": "steps", "steps": 10, "continues": "steps"},
        "document-longer": {"base": "document", "epochs": 4, "continues": "document"},
    },
    "grid": [],
    "run": {"device": "cpu"},
}
TRAININGS = list(CONFIG["training"])
CONFIG["grid"] = [
    {"corpus": "toy", "tokenizer": "char", "training": TRAININGS, "seed": 3},
    {"corpus": "noise", "tokenizer": "ids", "training": ["epochs"]},
]


def costs_of(plan: Plan) -> dict[str, Cost]:
    """Return the cost of each cell: by its training, or by its corpus if that is no toy."""
    costs, found = Costs(plan), {}
    for cell in plan.cells:
        folder = f"{plan.results}/cells/{cell.name}"
        stages = {stage: plan.artifacts[f"{folder}/{stage}"] for stage in ("train", "evaluate", "sample")}
        found[cell.training.name if cell.corpus.name == "toy" else cell.corpus.name] = costs.of_cell(stages)
    return found


def test_tokens_are_those_that_training_counts() -> None:
    encoded = costs_of(make(CONFIG, "corpus", "tokenizer", "encode"))
    plan = make(CONFIG, "train")
    facts = {
        name: plan.manifest(plan.artifacts[f"{plan.results}/cells/{cell.name}/train"])["facts"]
        for name, cell in zip(encoded, plan.cells, strict=True)
    }
    trained = {name: fact["train_tokens"] for name, fact in facts.items()}
    for child, parent in {"longer": "steps", "document-longer": "document"}.items():
        trained[child] -= trained[parent]
    assert {name: cost.tokens for name, cost in encoded.items()} == trained
    assert {name: cost.parameters for name, cost in encoded.items()} == {
        name: fact["parameters"] for name, fact in facts.items()
    }
    # And so it is afterwards.
    assert {name: cost.tokens for name, cost in costs_of(plan).items()} == trained
    assert len(trained) == 17
    assert trained["large-batch"] == 16384
    # Rows of documents are padded, and padding is not counted.
    assert trained["document-steps"] < trained["steps"] == 384
    assert 300 <= trained["document-tokens"] < 300 + 64
    assert 1000 <= trained["document-auto"] < 1000 + facts["document-auto"]["batch_tokens"]
    remarks = {
        name: [each for each in cost.remarks if "hardly any" not in each] for name, cost in encoded.items()
    }
    remarks = {name: each for name, each in remarks.items() if each}
    assert not {"steps", "epochs", "sliding"} & set(remarks)
    assert "a batch has 512 windows" in remarks["large-batch"][0]
    assert "cuts documents to the context" in remarks["document"][0]
    # What is made needs no word.
    assert not any(cost.remarks for cost in costs_of(plan).values())


def test_before_anything_is_made_the_budget_alone_says_what_it_can() -> None:
    costs = costs_of(plan_of(CONFIG))
    known = {name: cost.tokens for name, cost in costs.items() if cost.tokens is not None}
    assert known == {"steps": 384, "tokens": 320, "auto-tokens": 1024, "large-batch": 16384, "longer": 256}


def test_a_batch_that_is_larger_than_the_budget_is_said_before_anything_is_made() -> None:
    config = {**CONFIG, "training": {"base": {"tokens": 1000, "batch_tokens": 8192}}}
    (cost,) = costs_of(plan_of({**config, "grid": [{"corpus": "toy", "tokenizer": "char"}]})).values()
    remark, few = cost.remarks
    assert few.startswith("the training makes 1 step: hardly any")
    assert "`tokens: 1000` becomes 8192 in 1 whole step" in remark


@pytest.mark.parametrize(
    ("tokenizer", "vocab_size"),
    [
        ({"kind": "bytes", "special_tokens": ["<a>", "<b>"]}, 259),
        ({"kind": "bpe", "vocab_size": 300}, 300),
        ({"kind": "tiktoken"}, 50257),
        ({"kind": "char"}, None),
    ],
)
def test_parameters_are_known_where_the_configuration_gives_the_vocabulary(tokenizer, vocab_size) -> None:
    config = {**CONFIG, "tokenizers": {"it": tokenizer}, "grid": [{"corpus": "toy", "training": "steps"}]}
    plan = plan_of(config)
    cost = costs_of(plan)["steps"]
    if vocab_size is None:
        assert cost.parameters is None
    else:
        module = build(namespace(plan.of_stage("train")[0].config["model"]), vocab_size, eot=0)
        assert cost.parameters == sum(parameter.numel() for parameter in module.parameters())


def test_flops_are_those_of_the_manifest_and_of_everything_beside_training() -> None:
    config = {**CONFIG, "grid": [{"corpus": "toy", "tokenizer": "char", "training": "steps"}]}
    plan = make(config, "corpus", "tokenizer", "encode")
    whole = costs_of(plan)["steps"]
    assert whole.complete
    assert whole.seconds is None
    plan = make(config, "train")
    facts = plan.manifest(plan.of_stage("train")[0])["facts"]
    splits = plan.manifest(plan.of_stage("encode")[0])["facts"]["splits"]
    rest = costs_of(plan)["steps"]
    forward = facts["train_flops"] / facts["train_tokens"] / 3
    # Six steps, and a validation after each.
    validated = 6 * (splits["valid"]["tokens"] - 1)
    assert whole.flops - rest.flops == pytest.approx(facts["train_flops"] + forward * validated)
    # One prompt, two decodings, 100 tokens each. Sliding windows read every token twice, disjoint ones once.
    targets = splits["valid"]["tokens"] + splits["test"]["tokens"] - 2
    evaluated = rest.flops / forward - 2 * sampled_positions(100, 32, caches=True)
    assert 3 * targets - 2 * 32 <= evaluated <= 3 * targets
    assert rest.seconds > 0
    done = costs_of(make(config))["steps"]
    assert (done.tokens, done.flops, done.seconds) == (384, None, None)


@pytest.mark.parametrize("windows", ["permuted", "document"])
@pytest.mark.parametrize("limits", [(None, None), (500, None), (None, 700), (500, 10**9)])
def test_what_is_scored_is_counted_as_it_goes_through_the_model(windows, limits, monkeypatch) -> None:
    """But for what pads the documents that are read together."""
    config = copy.deepcopy(CONFIG)
    training = {"steps": 6, "batch_tokens": 64, "windows": windows, "eval_bytes": limits[0]}
    training["checkpoints"] = {"every": "doubling", "keep": 2}
    config["training"] = {"steps": {key: value for key, value in training.items() if value}}
    # The positions are learned: beyond the trained context nothing is scored.
    config["evaluation"] = {"contexts": [8, 64, 8], "checkpoints": "all"}
    config["evaluation"] |= {"bytes": limits[1]} if limits[1] else {}
    config["grid"] = [{"corpus": "toy", "tokenizer": "char"}]
    plan = make(config, "corpus", "tokenizer", "encode")
    costs, train, evaluate = Costs(plan), *(plan.of_stage(stage)[0] for stage in ("train", "evaluate"))
    expected = costs.scored({"train": train, "evaluate": evaluate}, costs.budget(train))
    read, whole = [], score.read

    def counted(tokens, batch):
        read.append(int(batch.lengths.sum()))
        return whole(tokens, batch)

    monkeypatch.setattr(score, "read", counted)
    make(config, "train", "evaluate")
    assert sum(read) == expected


def test_documents_that_were_not_counted_are_a_problem() -> None:
    config = {**CONFIG, "evaluation": {"bytes": 500}, "grid": [{"corpus": "toy", "training": "steps"}]}
    config["tokenizers"] = {"char": {"kind": "char"}}
    plan = make(config, "corpus", "tokenizer", "encode")
    shards = plan.of_stage("encode")[0]
    folder = plan.store.folder("encode", plan.receipts[shards].identity)
    folder.chmod(0o755)
    (folder / "valid-documents.parquet").unlink()
    assert "valid-documents.parquet is missing" in costs_of(plan)["steps"].problem


def test_a_training_that_would_fail_says_why() -> None:
    config = copy.deepcopy(CONFIG)
    config["models"]["small"]["context"] = 8192
    config["training"] = {"large": {"steps": 1, "batch_tokens": 8192}}
    config["grid"] = [{"corpus": "noise", "tokenizer": "ids"}]
    assert (
        "lower the model's context"
        in costs_of(make(config, "corpus", "tokenizer", "encode"))["noise"].problem
    )


def test_speed_is_that_of_similar_trainings_and_counts_padding_and_a_parents_steps() -> None:
    grid = [{"corpus": "toy", "tokenizer": "char", "training": ["document", "longer"]}]
    plan = make({**CONFIG, "grid": grid}, "corpus", "tokenizer", "encode", "train")
    costs = Costs(plan)
    for train in plan.of_stage("train"):
        folder = plan.store.folder("train", plan.receipts[train].identity)
        facts, size = read_manifest(folder)["facts"], costs.size(train)
        positions = facts["steps"] * facts["batch_tokens"]
        (speed,) = [
            speed
            for speed in costs.speeds.trainings
            if speed.flops_per_second
            == pytest.approx(size.flops * positions / read_provenance(folder)["train_seconds"], rel=0.01)
        ]
        assert speed.device == "cpu"
    size = costs.size(plan.of_stage("train")[0])
    costs.speeds.trainings = [Speed(size.flops * 10**power, 1, "cpu", 10.0**power) for power in range(9)]
    assert [speed.flops_per_second for speed in costs.speeds.nearest(size.flops, threads=1)] == [
        1,
        10,
        100,
        1000,
        10000,
    ]


@pytest.mark.parametrize(("targets", "context", "stride"), [(5, 8, 4), (8, 8, 8), (100, 8, 1), (100, 8, 3)])
def test_scored_positions_are_those_of_the_windows(targets, context, stride) -> None:
    batches = list(score.windows(targets, context, stride, rows=3))
    assert scored_positions(targets, context, stride) == sum(b.lengths.sum() for b in batches)


@pytest.mark.parametrize("preset", ["gpt2", "encoder"])
def test_sampled_positions_are_what_generation_reads(preset, monkeypatch) -> None:
    config = {**CONFIG, "models": {"small": {**CONFIG["models"]["small"], "preset": preset}}}
    plan = plan_of({**config, "grid": [{"corpus": "noise", "tokenizer": "ids", "training": "steps"}]})
    size = Costs(plan).size(plan.of_stage("train")[0])
    module = build(namespace(plan.of_stage("train")[0].config["model"]), 40, eot=None).eval()
    read = []
    module.embedding.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0].numel()))
    rows = Rows(module, [[0]], Decoding(temperature=0), ends=set(), seeds=[0])
    for _ in range(50):
        rows.advance()
    assert sampled_positions(50, 32, size.caches) == sum(read)
