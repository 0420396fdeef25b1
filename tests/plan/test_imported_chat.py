"""Models that others taught to answer are asked, and exported, with their own chat templates."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkpoints import llama, write
from making import make, plan_of

from gptgrid.api import load
from gptgrid.artifact.errors import UserError
from gptgrid.config.read import Configuration
from gptgrid.inference.export.again import FOLDER, again
from gptgrid.inference.export.export import export
from gptgrid.inference.export.loaded import load as read_loaded

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message.role }}:\n"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|begin|>{% endgeneration %}"
    "{% else %}{{ message.content }}<|begin|>{% endif %}\n\n"
    "{% endfor %}{% if add_generation_prompt %}assistant:\n{% endif %}"
)
CELL = "toy.own.ref.none.s1"
CONFIG: dict[str, Any] = {
    "experiment": "e",
    "corpora": {"toy": {"source": "builtin", "documents": 60, "license": "MIT"}},
    "tokenizers": {"own": {"kind": "huggingface", "file": "ref/tokenizer.json"}},
    "models": {"ref": {"huggingface": "ref"}},
    "training": {"base": {"steps": 2, "batch_tokens": 512}},
    "dialogues": {"qa": {"source": "builtin", "name": "tales", "documents": 40}},
    "finetuning": {"chat": {"data": "qa", "steps": 2, "batch_tokens": 512, "template": "plain"}},
    "evaluation": {"answers": {"documents": 2, "max_new_tokens": 3}},
    "sampling": {"max_new_tokens": 3},
    "grid": [{"model": "ref", "finetuning": "chat"}],
    "run": {"device": "cpu"},
}
STARTS = {**CONFIG, "grid": [{"model": "ref", "training": "base", "finetuning": "chat"}]}
ALONE = {**CONFIG, "grid": [{"model": "ref"}]}
TO_WEIGHTS = ("corpus", "tokenizer", "encode", "train", "finetune")


def taught(template: str | None = TEMPLATE) -> None:
    """Write the folder of a model that has a chat template."""
    write(Path("ref"), llama(max_position_embeddings=256))
    if template is not None:
        Path("ref/tokenizer_config.json").write_text(json.dumps({"chat_template": template}))


def folder_of(cell: str = CELL) -> Path:
    return Path("results/e/cells") / cell


def recipe_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text())


def template_of_figures(cell: str = CELL) -> str:
    return json.loads((folder_of(cell) / "dialogues/qa/evaluation.json").read_text())["template"]


def cautions() -> list[str]:
    with Path("results/e/compare/cautions.csv").open(newline="", encoding="utf-8") as file:
        return [row["caution"] for row in csv.DictReader(file)]


def train_action() -> str:
    plan = plan_of(CONFIG)
    return plan.action(plan.artifacts[f"results/e/cells/{CELL}/train"])


def test_it_is_asked_in_its_own_template() -> None:
    taught()
    plan = make(CONFIG)
    assert not plan.failures() and not [text for text in cautions() if "chat template" in text]
    assert template_of_figures() == "chat"
    assert recipe_of(folder_of() / "train")["chat"] == {"template": TEMPLATE, "system": None}
    cell = load(folder_of(), "cpu")
    assert cell.conversations.stop == () and isinstance(cell.chat("Who?", 3), str)
    Path("ref/tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE, "more": 1}))
    assert train_action() == "keep"
    Path("ref/tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE.replace(":", ";")}))
    assert train_action() == "run"


def test_a_template_that_cannot_be_used_is_a_caution() -> None:
    taught(TEMPLATE.replace("{% generation %}", "").replace("{% endgeneration %}", ""))
    for config, cell in ((CONFIG, CELL), (STARTS, "toy.own.ref.base.s1")):
        make(config)
        (said,) = {text for text in cautions() if "chat template" in text}
        assert said.startswith("without its own chat template, the model reads conversations as plain lines")
        assert "it does not say what an answer is" in said
        assert template_of_figures(cell) == "plain" and "chat" not in recipe_of(folder_of(cell) / "train")
        text = card_of(cell)
        assert "has a chat template, which gptgrid cannot use" in text
        assert f"as in {'gptgrid' if config is CONFIG else 'training'} (`split_special_tokens`)" in text
        assert "has a chat template, which gptgrid cannot use" not in card_of(f"{cell}.chat")


def test_a_training_that_starts_from_it_keeps_the_template() -> None:
    taught()
    cell = "toy.own.ref.base.s1"
    make(STARTS, *TO_WEIGHTS, "evaluate")
    assert recipe_of(folder_of(cell) / "train")["chat"]["template"] == TEMPLATE
    assert template_of_figures(cell) == "chat"
    assert load(folder_of(cell), "cpu").generate("a", 3) is not None  # spare rows and all


@pytest.mark.parametrize("system", [None, "It's brief."])
def test_an_export_is_a_start_with_the_same_template(system) -> None:
    taught()
    make(CONFIG, *TO_WEIGHTS)
    path = folder_of() / "train" / "config.json"
    own = {**recipe_of(path.parent), "chat": {"template": TEMPLATE, "system": system}}
    path.unlink()
    path.write_text(json.dumps(own))
    first = export(folder_of(), "hf", "first")
    config = json.loads(
        json.dumps(CONFIG).replace("ref/", "first/").replace('"huggingface": "ref"', '"huggingface": "first"')
    )
    make(config, *TO_WEIGHTS)
    assert recipe_of(folder_of() / "train")["chat"] == own["chat"]
    second = export(folder_of(), "hf", "second")
    for name in ("tokenizer_config.json", "model.safetensors", "config.json", "generation_config.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def card_of(cell: str) -> str:
    return (export(folder_of(cell), "hf", Path("out") / cell) / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("config", [CONFIG, STARTS], ids=["imported", "starts"])
def test_the_configuration_in_the_card_makes_it_from_the_same_weights(config) -> None:
    taught()
    config = {**config, "models": {"ref": {"huggingface": "ref", "context": 128}}}
    made = make(config, *TO_WEIGHTS, "evaluate")
    base = CELL if config["grid"] == CONFIG["grid"] else "toy.own.ref.base.s1"
    text = card_of(f"{base}.chat")
    written = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert written == json.loads(json.dumps(again(read_loaded(folder_of(f"{base}.chat")))))
    with pytest.raises(UserError, match=FOLDER):
        Configuration(written, "again.yaml")
    Path(FOLDER).symlink_to("ref")
    plan = plan_of(written)
    for stage in ("corpus", "tokenizer", "train", "finetune"):
        old = [each.slice for each in made.of_stage(stage)]
        found = [json.loads(json.dumps(each.slice).replace(FOLDER, "ref")) for each in plan.of_stage(stage)]
        assert found == json.loads(json.dumps(old)), stage


def test_the_cards_say_whose_weights_they_are() -> None:
    taught()
    make(CONFIG, *TO_WEIGHTS, "evaluate")
    digest = plan_of(CONFIG).artifacts[f"results/e/cells/{CELL}/train"].raw["ref/model.safetensors"]
    untouched, tuned = card_of(CELL), card_of(f"{CELL}.chat")
    for text in (untouched, tuned):
        assert f"- `model.safetensors`: sha256 `{digest}`" in text
        assert "and their licence, are not known here" in text and "license: unknown" in text
        assert "Not found from here" not in text and "base_model" not in text
        assert "trained with gptgrid" not in text and "has a chat template, which" not in text
        assert "On the test split of a text from which it did not learn here" in text
    assert (
        "A language model that others trained, put into this form by gptgrid: LlamaForCausalLM" in untouched
    )
    assert "gptgrid begins documents with" in untouched and "which is not so in gptgrid" in untouched
    assert "gptgrid begins documents with" in tuned and "which is not so in training" in tuned
    assert "only their format was changed" in untouched
    assert "A language model that others trained, fine-tuned with gptgrid: LlamaForCausalLM" in tuned
    assert "only their format was changed" not in tuned and "The dialogues:" in tuned
    make(STARTS, *TO_WEIGHTS)
    further = card_of("toy.own.ref.base.s1.chat")
    assert "others trained, trained further and fine-tuned with gptgrid" in further and digest in further


def test_weights_in_several_files_are_all_named() -> None:
    write(Path("ref"), llama(), max_shard_size="10KB")
    make(ALONE, "corpus", "tokenizer", "train")
    text = card_of(CELL)
    names = sorted(path.name for path in Path("ref").glob("model*"))
    assert len(names) > 2 and [name for name in names if f"- `{name}`: sha256" in text] == names
    assert "Not found from here" not in text  # no text was measured, and none is missed


def test_a_model_of_others_has_no_shards() -> None:
    taught()
    make(CONFIG, *TO_WEIGHTS)
    with pytest.raises(UserError, match="weights that others trained"):
        export(folder_of(), "bin", "out")
