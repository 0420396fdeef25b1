"""What is fine-tuned from a cell: its artifacts, what they are made from, and what a change makes anew."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints import EOT, change, gpt2, llama, qwen3, tokenizer_json, write
from making import make, plan_of
from rich.console import Console
from safetensors.torch import load_file, save_file

from gptgrid.artifact.errors import UserError
from gptgrid.plan.artifacts import Artifact
from gptgrid.plan.cost import Costs
from gptgrid.plan.names import group_of, match
from gptgrid.plan.outcome import outcome
from gptgrid.plan.plan import Plan
from gptgrid.plan.show import show_plan
from gptgrid.plan.verify import choose
from gptgrid.text.chat_template import CHATML

CELL = "toy.bytes.small.base.s1"
CONFIG: dict[str, Any] = {
    "experiment": "e",
    "corpora": {"toy": {"source": "builtin", "documents": 60}},
    "tokenizers": {"bytes": {"kind": "bytes", "special_tokens": ["<|im_start|>", "<|im_end|>"]}},
    "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 256}},
    "training": {"base": {"steps": 2, "batch_tokens": 512}},
    "dialogues": {"qa": {"source": "builtin", "name": "tales", "documents": 40}},
    "finetuning": {
        "chat": {"data": "qa", "steps": 2, "batch_tokens": 512},
        "thin": {"base": "chat", "lora": {"rank": 2}},
    },
    "evaluation": {"answers": {"documents": 2, "max_new_tokens": 3}},
    "sampling": {"max_new_tokens": 3},
    "grid": [{"finetuning": ["chat", "thin"]}],
    "run": {"device": "cpu"},
}
TO_WEIGHTS = ("corpus", "tokenizer", "encode", "train", "finetune")


def changed(path: str, value: Any, config: dict[str, Any] = CONFIG) -> dict[str, Any]:
    """Return a configuration with another value at a dotted path."""
    key, _, rest = path.partition(".")
    return {**config, key: changed(rest, value, config.get(key, {})) if rest else value}


def artifact(plan: Plan, folder: str) -> Artifact:
    return plan.artifacts[f"results/e/{folder}"]


def anew(before: Plan, now: Plan) -> set[str]:
    """Return the names of what has another key."""
    old = {made.folder: key for made, key in before.keys.items()}
    return {made.name for made, key in now.keys.items() if old.get(made.folder) != key}


def test_what_there_is_of_a_cell_that_is_fine_tuned() -> None:
    plan = plan_of(CONFIG)
    cells = {folder.split("/", 3)[3] for folder in plan.artifacts if "/cells/" in folder}
    assert cells == {
        *(f"{CELL}/{name}" for name in ("train", "evaluate", "sample", "dialogues/qa")),
        *(f"{CELL}.{by}/{n}" for by in ("chat", "thin") for n in ("finetune", "evaluate", "dialogues/qa")),
    }
    finetune = artifact(plan, f"cells/{CELL}.chat/finetune")
    train, dialogues = artifact(plan, f"cells/{CELL}/train"), plan.artifacts["data/dialogues/qa"]
    assert finetune.inputs == {"train": train, "dialogues": dialogues}
    assert finetune.slice.keys() == {"finetuning", "use", "seed"} and finetune.slice["use"] == "best"
    assert not {"use", "data"} & finetune.slice["finetuning"].keys()
    assert (dialogues.stage, dialogues.slice["dialogues"]) == ("corpus", "messages")
    evaluate = artifact(plan, f"cells/{CELL}.chat/evaluate")
    assert evaluate.inputs["train"] is finetune
    assert evaluate.slice == artifact(plan, f"cells/{CELL}/evaluate").slice
    answers = artifact(plan, f"cells/{CELL}.chat/dialogues/qa")
    assert answers.slice == {"kind": "dialogues", "use": "best", "documents": 2, "max_new_tokens": 3}
    assert answers.inputs == {"train": finetune, "dialogues": dialogues}
    assert artifact(plan, f"cells/{CELL}/dialogues/qa").inputs == {"train": train, "dialogues": dialogues}


def test_tables_and_report_are_told_of_it() -> None:
    plan = plan_of(changed("grid", [{"finetuning": ["chat"], "finetuning.lr": [1e-4]}]))
    (told,) = artifact(plan, "compare").config["finetuned"]
    name = f"{CELL}.chat+lr=0.0001"
    assert told == {
        "cell": name,
        "base": CELL,
        "finetuning": "chat",
        "data": "qa",
        "seed": 1,
        "use": "best",
        "overrides": {"finetuning.lr": 1e-4},
        "path": f"results/e/cells/{name}",
        "private": False,
    }
    expected = {f"{n}:{name}" for n in ("finetune", "evaluate")} | {f"dialogues:{c}:qa" for c in (CELL, name)}
    for stage in ("compare", "report"):
        inputs = artifact(plan, stage).inputs
        assert expected <= inputs.keys()
        assert "corpus:qa" not in inputs  # they are no text of the grid


def test_cells_are_what_they_are_without_it() -> None:
    with_it = plan_of(CONFIG)
    without = plan_of({key: value for key, value in CONFIG.items() if key != "finetuning"} | {"grid": [{}]})
    for made, key in without.keys.items():
        if made.stage not in ("compare", "report"):
            assert with_it.keys[with_it.artifacts[made.folder]] == key, made.name
    assert "finetuned" not in artifact(without, "compare").config
    assert not any(made.stage == "finetune" or "dialogues" in made.folder for made in without.keys)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("finetuning.chat.lr", 1e-4, {f"e/cells/{CELL}.{by}/{{}}" for by in ("chat", "thin")}),
        ("finetuning.thin.lora.rank", 3, {f"e/cells/{CELL}.thin/{{}}"}),
        ("dialogues.qa.documents", 50, {f"e/cells/{CELL}.{by}/{{}}" for by in ("chat", "thin")}),
    ],
)
def test_a_change_reaches_what_is_made_from_it(path: str, value: Any, expected: set[str]) -> None:
    found = anew(plan_of(CONFIG), plan_of(changed(path, value))) - {"e/compare", "e/report"}
    stages = ("finetune", "evaluate", "dialogues/qa")
    more = {"dialogues/qa", f"e/cells/{CELL}/dialogues/qa"} if path.startswith("dialogues") else set()
    assert found == {name.format(stage) for name in expected for stage in stages} | more


def test_how_dialogues_are_asked_is_no_cause_of_a_score() -> None:
    found = anew(plan_of(CONFIG), plan_of(changed("evaluation.answers.documents", 3)))
    cells = (CELL, f"{CELL}.chat", f"{CELL}.thin")
    assert found == {f"e/cells/{cell}/dialogues/qa" for cell in cells} | {"e/compare", "e/report"}


def test_which_weights_are_used_is_no_cause_of_a_fine_tuning_nor_is_a_name() -> None:
    found = anew(plan_of(CONFIG), plan_of(changed("finetuning.thin.use", "last")))
    assert found == {f"e/cells/{CELL}.thin/{n}" for n in ("evaluate", "dialogues/qa")} | {
        "e/compare",
        "e/report",
    }
    renamed = changed("finetuning.chat.data", "qb", changed("dialogues", {"qb": CONFIG["dialogues"]["qa"]}))
    assert f"e/cells/{CELL}.chat/finetune" not in anew(plan_of(CONFIG), plan_of(renamed))
    best = anew(plan_of(CONFIG), plan_of(changed("training.base.use", "last")))
    assert f"e/cells/{CELL}.chat/finetune" in best and f"e/cells/{CELL}/train" not in best


def test_a_run_makes_all_of_it_once_and_says_whom_to_ask() -> None:
    plan = plan_of(CONFIG)
    costs = Costs(plan)
    folder = f"results/e/cells/{CELL}.chat/"
    parts = {f.removeprefix(folder): a for f, a in plan.artifacts.items() if f.startswith(folder)}
    assert costs.of_cell(parts).tokens is None  # nothing is encoded yet
    plan = make(CONFIG)
    assert not plan.failures() and {plan.action(made) for made in plan.keys} == {"keep"}
    facts = json.loads(Path(f"{folder}finetune/manifest.json").read_text())["facts"]
    assert costs_of(plan, "chat").tokens == facts["train_tokens"]
    assert outcome(plan)[-2:] == [
        f"fine-tuned by {name}:  gptgrid chat results/e/cells/{CELL}.{name}" for name in ("chat", "thin")
    ]
    longer = plan_of(changed("finetuning.chat.steps", 4))
    cost = costs_of(longer, "chat")
    assert cost.guessed and cost.tokens > 0 and cost.flops > 4 * 512 * 6 * 1000
    assert cost.parameters == facts["parameters"]
    console = Console(record=True, width=300)
    show_plan(longer, console)
    (line,) = (line for line in console.export_text().splitlines() if f"{CELL}.chat" in line)
    assert "finetune evaluate" in line and "finetuning.steps: 2 → 4" in line and "≈" in line
    asked = plan_of(changed("evaluation.answers.documents", 3))
    show_plan(asked, console)
    assert "evaluation.answers.documents: 2 → 3" in console.export_text()
    used = plan_of(changed("finetuning.thin.use", "last"))
    show_plan(used, console)
    assert "finetuning.use: best → last" in console.export_text()


def costs_of(plan: Plan, name: str) -> Any:
    folder = f"results/e/cells/{CELL}.{name}/"
    parts = {f.removeprefix(folder): a for f, a in plan.artifacts.items() if f.startswith(folder)}
    return Costs(plan).of_cell(parts)


def test_own_dialogues_and_templates_are_causes_by_what_they_hold() -> None:
    asked = {"messages": [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}]}
    Path("chats.jsonl").write_text(json.dumps(asked) + "\n")
    Path("my.jinja").write_text(CHATML.source)
    config = changed("dialogues.qa", {"source": "files", "paths": ["*.jsonl"]})
    config = changed("finetuning.chat.template", "my.jinja", config)
    before = plan_of(config)
    finetune = artifact(before, f"cells/{CELL}.chat/finetune")
    assert list(finetune.raw) == ["my.jinja"] and finetune.config["finetuning"]["template"] == "my.jinja"
    assert before.artifacts["data/dialogues/qa"].config["files"] == {"all": ["chats.jsonl"]}
    Path("my.jinja").write_text(CHATML.source + "\n")
    assert f"e/cells/{CELL}.chat/finetune" in anew(before, plan_of(config))
    Path("my.jinja").write_text(CHATML.source)
    Path("chats.jsonl").write_text(json.dumps(asked) + "\n\n")
    assert "dialogues/qa" in anew(before, plan_of(config))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% for %}", "my.yaml: finetuning.chat.template: the chat template my.jinja, line 1 is no Jinja: "),
        (
            "{{ messages[0].content }}",
            "my.yaml: finetuning.chat.template: the chat template my.jinja cannot be",
        ),
        (b"\xff", "my.yaml: finetuning.chat.template: my.jinja is not UTF-8"),
        (None, "my.yaml: finetuning.chat.template: no file matches 'my.jinja'"),
    ],
)
def test_a_template_that_cannot_be_used_is_said_before_anything_runs(text: Any, expected: str) -> None:
    if text is not None:
        Path("my.jinja").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as failure:
        plan_of(changed("finetuning.chat.template", "my.jinja"))
    assert str(failure.value).startswith(expected)


def test_a_template_of_another_project_is_a_file_here() -> None:
    with pytest.raises(
        UserError, match=r"unknown template 'llama-3.1'; chatml, plain are built in, and for any"
    ):
        plan_of(changed("finetuning.chat.template", "llama-3.1"))
    Path("llama-3.1").write_text(CHATML.source)
    (finetune, *_) = plan_of(changed("finetuning.chat.template", "llama-3.1")).of_stage("finetune")
    assert list(finetune.raw) == ["llama-3.1"]


@pytest.mark.parametrize(
    ("tokenizer", "lacking", "remedy"),
    [
        ({"kind": "char"}, "<|im_start|> <|im_end|>", "add them to its `special_tokens` (["),
        (
            {"kind": "bpe", "special_tokens": ["<|im_end|>"]},
            "<|im_start|>",
            "add them to its `special_tokens`",
        ),
        ({"kind": "tiktoken"}, "<|im_start|> <|im_end|>", "set `new_tokens: add` in finetuning.chat"),
    ],
)
def test_a_tokenizer_without_the_special_tokens_of_the_template(tokenizer, lacking: str, remedy: str) -> None:
    config = changed("tokenizers", {"plain": tokenizer})
    with pytest.raises(UserError) as failure:
        plan_of(config)
    assert str(failure.value).startswith(
        "my.yaml: cell toy.plain.small.base.s1.chat: tokenizer plain lacks special tokens of template chatml: "
        f"{lacking}; {remedy}"
    )
    plan_of(changed("finetuning.chat.new_tokens", "add", config))


def test_private_dialogues_are_private_wherever_they_are_shown() -> None:
    plan = plan_of(changed("dialogues.qa.private", True))
    assert artifact(plan, f"cells/{CELL}/dialogues/qa").slice["private"]
    assert all(told["private"] for told in artifact(plan, "compare").config["finetuned"])
    # Samples that it made before are gone then: the content of the dialogues would be the same.
    assert artifact(plan, f"cells/{CELL}.chat/finetune").slice["private"]
    plan = plan_of(changed("corpora.toy.private", True))
    assert artifact(plan, f"cells/{CELL}.chat/finetune").slice["private"]


def test_a_cell_is_meant_unless_its_fine_tuning_is_named() -> None:
    cells = [f"e/{CELL}", f"e/{CELL}.chat", f"e/{CELL}.thin"]
    assert match("small s1", cells) == match(CELL, cells) == cells[:1]
    assert match("small chat", cells) == cells[1:2]
    assert match(f"{CELL}.thin", cells) == cells[2:]
    assert [
        group_of(name) for name in ("a.b.c.d.s12", "a.b.c.d.s1.chat+lr=0.1", "a.b.s2.d+x=0.5.s1.chat")
    ] == [
        "a.b.c.d",
        "a.b.c.d.chat+lr=0.1",
        "a.b.s2.d+x=0.5.chat",
    ]
    chosen = {artifact.folder.split("/")[3] for artifact in choose(plan_of(CONFIG), ["small"])}
    assert chosen == {CELL}
    chosen = {artifact.folder.split("/")[3] for artifact in choose(plan_of(CONFIG), ["thin"])}
    assert chosen == {f"{CELL}.thin"}


OTHERS = {
    **CONFIG,
    "tokenizers": {"own": {"kind": "huggingface", "file": "ref/tokenizer.json"}},
    "models": {"start": {"huggingface": "ref", "dropout": 0.1}},
    "training": {"base": {"steps": 2, "batch_tokens": 48}},
    "finetuning": {
        "chat": {"data": "qa", "steps": 1, "batch_tokens": 48, "new_tokens": "add", "too_long": "cut"}
    },
}


def test_a_training_starts_from_weights_of_others() -> None:
    write(Path("ref"), gpt2())
    config = {**OTHERS, "grid": [{"training": "base", "training.lr": [1e-9]}]}
    plan = plan_of(config)
    (train,) = plan.of_stage("train")
    assert train.slice["start"] == {"vocab_size": 260, "begins_with": 256}
    assert list(train.raw) == ["ref/model.safetensors"]
    assert "huggingface" not in train.config["model"] and train.config["model"]["dropout"] == 0.1
    cell = "results/e/cells/toy.own.start.base+lr=1e-09.s1"
    cost = Costs(plan).of_cell({a.stage: a for f, a in plan.artifacts.items() if f.startswith(cell)})
    assert cost.parameters == sum(p.numel() for p in gpt2().parameters())
    plan = make(config, "corpus", "tokenizer", "encode", "train")
    assert plan.action(train_of(plan)) == "keep"
    theirs, ours = load_file("ref/model.safetensors"), load_file(f"{cell}/train/model.safetensors")
    first = next(name for name in ours if ours[name].shape == theirs["transformer.wte.weight"].shape)
    assert (ours[first] - theirs["transformer.wte.weight"]).abs().max() < 1e-6
    Path("other.json").write_text(Path("ref/tokenizer.json").read_text() + "\n")
    with pytest.raises(UserError, match="tokenizer own is not the one of model start"):
        plan_of(changed("tokenizers.own.file", "other.json", config))


@pytest.mark.parametrize(
    ("model", "changes", "expected"),
    [
        (gpt2, {"n_layer": 3}, "has no tensor h.2.attn.c_attn.weight, which config.json asks for"),
        (gpt2, {"n_layer": 1}, "has no place for 12 of the tensors, such as h.1.attn.c_attn.bias"),
        (gpt2, {"n_embd": 64}, "wte.weight has the shape [260, 32], but config.json asks for [260, 64]"),
        (gpt2, {"n_inner": 64}, "mlp.c_fc.weight has the shape [32, 128], but config.json asks for [32, 64]"),
        (gpt2, {"n_positions": 48}, "wpe.weight has the shape [24, 32], but config.json asks for [48, 32]"),
        (
            llama,
            {"num_hidden_layers": 2},
            "has no place for 9 of the tensors, such as layers.2.input_layernorm",
        ),
        (llama, {"vocab_size": 300}, "embed_tokens.weight has the shape [260, 32], but config.json asks for"),
        (llama, {"num_key_value_heads": 4}, "k_proj.weight has the shape [16, 32], but config.json asks for"),
        (gpt2, {"tie_word_embeddings": False}, "has no output matrix (lm_head.weight), which by config.json"),
        (
            qwen3,
            {"model_type": "llama"},
            "has no place for 6 of the tensors, such as layers.0.self_attn.k_norm",
        ),
        (llama, {"attention_bias": True, "mlp_bias": True}, "has no tensor layers.0.self_attn.q_proj.bias"),
        (qwen3, {"head_dim": 8}, "q_proj.weight has the shape [64, 32], but config.json asks for [32, 32]"),
    ],
)
def test_weights_of_another_model_than_config_json_are_said_before_anything_runs(
    model, changes: dict[str, Any], expected: str
) -> None:
    config = {**OTHERS, "grid": [{"finetuning": "chat"}, {"training": "base"}]}
    write(Path("ref"), model())
    plan_of(config)
    change(Path("ref"), **changes)
    with pytest.raises(UserError) as failure:
        plan_of(config)
    assert str(failure.value).startswith("my.yaml: models.start.huggingface: ")
    assert expected in str(failure.value)


@pytest.mark.parametrize(
    "module",
    [
        *(gpt2(), gpt2(tie_word_embeddings=False), llama(), llama(tie_word_embeddings=True), qwen3()),
        llama(attention_bias=True, mlp_bias=True),
    ],
)
def test_each_tensor_of_a_model_has_its_place(module) -> None:
    config = {**OTHERS, "grid": [{"finetuning": "chat"}]}
    whole = write(Path("ref"), module) / "model.safetensors"
    plan_of(config)
    weights = load_file(whole)
    tables = {
        "transformer.h.0.attn.bias": torch.ones(2),
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(2),
    }
    save_file(weights | tables, whole)
    plan_of(config)  # older versions wrote what can be worked out
    for name, tensor in weights.items():
        save_file({each: weights[each] for each in weights if each != name}, whole)
        with pytest.raises(UserError, match=r"which (by )?config\.json"):
            plan_of(config)
        save_file({**weights, name: torch.ones(*tensor.shape, 1)}, whole)
        with pytest.raises(UserError, match=r"has the shape \["):
            plan_of(config)
    save_file({**weights, "lm_head.bias": torch.ones(260)}, whole)
    with pytest.raises(UserError, match=r"has no place for 1 of the tensors, such as lm_head\.bias"):
        plan_of(config)


def bad_tokenizer(change: str) -> str:
    """Return a tokenizer.json with something wrong."""
    whole = tokenizer_json()
    few = {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"content": EOT, "id": 99}]}
    return {
        "cut": whole[:500],
        "few": json.dumps(few),
        "other": json.dumps({"version": "1.0"}),
        "list": "[]",
    }[change]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("cut", "ref/tokenizer.json is not JSON ("),
        ("list", "ref/tokenizer.json holds no mapping"),
        ("other", "ref/tokenizer.json is not a tokenizer.json (KeyError('model'))"),
        (
            "few",
            "tokenizer.json has 100 tokens, but config.json a vocab_size of 260: they are of different models",
        ),
    ],
)
def test_a_tokenizer_that_cannot_be_that_of_the_weights_is_said_before_anything_runs(
    change, expected
) -> None:
    config = {**OTHERS, "grid": [{"finetuning": "chat"}]}
    write(Path("ref"), gpt2())
    plan_of(config)
    Path("ref/tokenizer.json").write_text(bad_tokenizer(change))
    for _ in range(2):  # what is wrong is not remembered as right
        with pytest.raises(UserError) as failure:
            plan_of(config)
        assert str(failure.value).startswith(f"my.yaml: models.start.huggingface: {expected}")


def test_a_tokenizer_of_others_is_counted_once(monkeypatch) -> None:
    write(Path("ref"), gpt2())
    plan_of({**OTHERS, "grid": [{"finetuning": "chat"}]})
    monkeypatch.setattr("gptgrid.plan.artifacts.count_tokens", None)
    plan_of({**OTHERS, "grid": [{"finetuning": "chat"}]})


def test_damaged_weights_are_said_before_anything_runs() -> None:
    write(Path("ref"), gpt2())
    Path("ref/model.safetensors").write_bytes(Path("ref/model.safetensors").read_bytes()[:500])
    with pytest.raises(UserError, match=r"model\.safetensors cannot be read as safetensors \("):
        plan_of({**OTHERS, "grid": [{"finetuning": "chat"}]})


def train_of(plan: Plan) -> Artifact:
    (train,) = plan.of_stage("train")
    return train


def test_a_model_of_others_is_fine_tuned_once_a_seed_and_scored_once() -> None:
    write(Path("ref"), gpt2())
    config = {**OTHERS, "grid": [{"seed": [1, 2], "finetuning": "chat"}]}
    plan = plan_of(config)
    train = train_of(plan)
    assert train.folder == "results/e/cells/toy.own.start.none.s1/train" and train.config["format"]
    made = plan.of_stage("finetune")
    assert [finetune.folder.split("/")[3] for finetune in made] == [
        f"toy.own.start.none.s{seed}.chat" for seed in (1, 2)
    ]
    assert [finetune.config["seed"] for finetune in made] == [1, 2]
    assert all(finetune.inputs["train"] is train for finetune in made)
    assert [told["base"] for told in artifact(plan, "compare").config["finetuned"]] == [
        "toy.own.start.none.s1"
    ] * 2
