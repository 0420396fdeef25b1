"""Models that others trained are rows beside those that are trained here."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import checkpoints
import numpy as np
import pytest
import torch
from checkpoints import CONTEXT, EOT, gpt2, qwen3, write
from making import make, plan_of
from safetensors.torch import load_file, save_file

from gptgrid.api import find, load
from gptgrid.artifact.errors import UserError
from gptgrid.plan.cost import Costs
from gptgrid.plan.show import hints
from gptgrid.tokens.shards import open_shards

CELL = "toy.own.ref.none.s1"


def config(**changes: Any) -> dict[str, Any]:
    """Return a configuration with a checkpoint beside a model that is trained."""
    values = {
        "experiment": "e",
        "corpora": {"toy": {"source": "builtin", "documents": 60}},
        "tokenizers": {"own": {"kind": "huggingface", "file": "ref/tokenizer.json"}},
        "models": {
            "ref": {"huggingface": "ref"},
            "small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 16},
        },
        "training": {"base": {"steps": 2, "batch_tokens": 64}},
        "sampling": {"max_new_tokens": 5},
        "grid": [{"model": "ref"}, {"model": "small", "seed": [1, 2]}],
    }
    return {**values, **changes}


ALONE = {"grid": [{"model": "ref"}]}
DATA = ("corpus", "tokenizer", "encode", "train")
TABLES = (*DATA, "evaluate", "sample", "compare")


def rows(table: str) -> list[dict[str, str]]:
    with Path(f"results/e/compare/{table}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def actions(plan: Any, stage: str) -> list[str]:
    """Return what would be done for the cells' artifacts of a stage."""
    return [plan.action(artifact) for artifact in plan.of_stage(stage) if "/cells/" in artifact.folder]


def test_a_checkpoint_is_a_row_with_the_figures_of_transformers() -> None:
    theirs = gpt2()
    write(Path("ref"), theirs)
    plan = make(config())
    assert not plan.failures()
    found = {row["cell"]: row for row in rows("summary")}
    row = found[CELL]
    assert (row["status"], row["train_tokens"], row["train_flops"]) == ("imported", "", "")
    assert int(row["parameters"]) == sum(p.numel() for p in theirs.parameters())
    assert int(row["vocab_size"]) == checkpoints.VOCAB
    assert found["toy.own.small.base.s1"]["status"] == "finished"
    groups = {row["group"]: row for row in rows("comparison")}
    assert groups["toy.own.ref.none"]["imported"] == "1" and groups["toy.own.small.base"]["imported"] == "0"
    assert not [row for row in rows("cautions") if "give all the same seeds" in row["caution"]]
    evaluation = json.loads(Path(f"results/e/cells/{CELL}/evaluate/evaluation.json").read_text())
    ids = open_shards(Path("data/shards/own@toy"), "test")
    ids = torch.from_numpy(np.concatenate(ids.arrays).astype(np.int64))
    nats = 0.0
    for start in range(0, len(ids) - 1, CONTEXT):
        window = ids[start : start + CONTEXT + 1]
        with torch.inference_mode():
            logits = theirs(window[None, :-1]).logits[0]
        nats += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
    assert evaluation["disjoint"]["nats"] == pytest.approx(nats, rel=1e-6)
    assert row["bpb"] == str(evaluation["bpb"])


def test_it_costs_no_training() -> None:
    write(Path("ref"), qwen3())
    plan = plan_of(config())
    artifacts = {a.stage: a for a in plan.artifacts.values() if CELL in a.folder}
    cost = Costs(plan).of_cell(artifacts)
    assert (cost.tokens, cost.problem, cost.remarks) == (0, None, ())
    assert cost.parameters == sum(p.numel() for p in qwen3().parameters())
    make(config(), *DATA)
    plan = plan_of(config())
    cost = Costs(plan).of_cell({a.stage: a for a in plan.artifacts.values() if CELL in a.folder})
    assert cost.flops > 0 and cost.complete


def test_its_content_decides_not_where_it_lies() -> None:
    write(Path("ref"), gpt2())
    make(config(**ALONE), *DATA, "evaluate")
    Path("ref/model.safetensors").touch()
    Path("ref/README.md").write_text("A card.")
    assert actions(plan_of(config(**ALONE)), "train") == ["keep"]
    shutil.copytree("ref", "elsewhere")
    moved = config(**ALONE)
    moved["models"] = {"ref": {"huggingface": "elsewhere"}}
    assert actions(plan_of(moved), "train") == ["run"]
    plan = make(moved, "train")
    assert actions(plan, "evaluate") == ["restore"]  # it holds the same
    weights = load_file("ref/model.safetensors")
    save_file({name: tensor * 1.5 for name, tensor in weights.items()}, "ref/model.safetensors")
    plan = make(config(**ALONE), "train")
    assert actions(plan, "evaluate") == ["run"]


def test_a_shorter_context_is_no_training_that_could_go_on() -> None:
    write(Path("ref"), gpt2())
    make(config(**ALONE), *DATA)
    shorter = config(**ALONE)
    shorter["models"] = {"ref": {"huggingface": "ref", "context": 12}}
    plan = plan_of(shorter)
    assert actions(plan, "train") == ["run"] and hints(plan) == []
    make(shorter, *DATA)
    assert load(find("own ref"), "cpu").context == 12


def test_it_generates_and_scores_like_a_trained_cell() -> None:
    theirs = qwen3()
    write(Path("ref"), theirs)
    make(config(**ALONE), *DATA)
    cell = load(find("own ref"), "cpu")
    ids = cell.encode("The fox")
    expected = theirs(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(cell.forward("The fox"), expected, atol=1e-4, rtol=1e-5)
    assert isinstance(cell.generate("The", max_new_tokens=5, seed=1), str)
    assert cell.score("The fox").tokens == len(ids)
    assert not Path(f"results/e/cells/{CELL}/train/config.json").read_text().count("huggingface")


def test_another_tokenizer_is_refused_by_name() -> None:
    write(Path("ref"), gpt2())
    Path("other.json").write_text(checkpoints.tokenizer_json() + "\n")
    other = config(tokenizers={"own": {"kind": "huggingface", "file": "other.json"}})
    with pytest.raises(
        UserError,
        match=r"my\.yaml: cell toy\.own\.ref\.none\.s1: tokenizer own is not the one of model ref, so that its ids "
        r"mean other tokens; give it \{kind: huggingface, file: ref/tokenizer\.json\}",
    ):
        plan_of(other)
    shutil.copyfile("ref/tokenizer.json", "copy.json")
    plan_of(config(tokenizers={"own": {"kind": "huggingface", "file": "copy.json"}}))


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused_before_anything_runs() -> None:
    write(Path("ref"), gpt2(vocab_size=257))
    with pytest.raises(
        UserError,
        match=r"my\.yaml: models\.ref\.huggingface: tokenizer\.json has 258 tokens, but config\.json a vocab_size of "
        "257: they are of different models",
    ):
        plan_of(config(**ALONE))


def test_weights_that_are_no_numbers_fail_the_cell_with_a_reason_in_the_tables() -> None:
    write(Path("ref"), gpt2())
    weights = load_file("ref/model.safetensors")
    weights["transformer.ln_f.weight"][3] = float("nan")
    save_file(weights, "ref/model.safetensors")
    make(config(), *TABLES)
    row = next(row for row in rows("summary") if row["cell"] == CELL)
    assert row["status"] == "failed"
    assert "transformer.ln_f.weight holds values that are no numbers; download it again" in row["reason"]


def test_documents_that_began_otherwise_in_its_training_are_a_caution() -> None:
    write(Path("ref"), gpt2())
    checkpoints.change(Path("ref"), bos_token_id=257)
    make(config(**ALONE), *TABLES)
    said = [row["caution"] for row in rows("cautions") if "bos_token_id" in row["caution"]]
    assert said == [
        f"documents begin with {EOT} here, but by its config.json (bos_token_id) with the token <|begin|> in its "
        "training, so that its figures may be worse than they need be; set `eot: '<|begin|>'` for its tokenizer"
    ]
    begun = config(**ALONE)
    begun["tokenizers"]["own"]["eot"] = "<|begin|>"
    make(begun, *TABLES)
    assert not [row for row in rows("cautions") if "bos_token_id" in row["caution"]]


def test_a_folder_that_cannot_be_used_is_refused_before_anything_runs() -> None:
    write(Path("ref"), gpt2())
    Path("ref/model.safetensors").rename("ref/pytorch_model.bin")
    with pytest.raises(
        UserError, match=r"my\.yaml: models\.ref: ref has pickled weights alone \(pytorch_model\.bin"
    ):
        plan_of(config())
