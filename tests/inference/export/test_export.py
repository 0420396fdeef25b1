"""An export is there whole or not at all; shards and data are found by what they hold."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from cells import write_cell
from exporting import exported_cell

from gptgrid.api import load
from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import content_digest, identity_of
from gptgrid.artifact.manifest import describe_outputs, read_manifest, write_manifest
from gptgrid.config.finetuning import Finetuning
from gptgrid.config.grid import cells_of
from gptgrid.config.read import Configuration
from gptgrid.config.training import Training
from gptgrid.inference.export.again import again, again_sections
from gptgrid.inference.export.export import DTYPES, TARGETS, export
from gptgrid.inference.export.loaded import load as read_loaded
from gptgrid.tokens.codec import BytesCodec, write_codec
from gptgrid.tokens.shards import write_shard

CORPUS = {
    "source": "builtin",
    "name": "toy",
    "documents": 30,
    "seed": 0,
    "split": {"valid": 0.1, "test": 0.1},
}


def artifact(folder: Path, stage: str, config: dict, inputs: dict | None = None, **facts: object) -> Path:
    """Give a folder, with its files, the manifest of a finished artifact; inputs are folders."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = {name: content_digest(read_manifest(path)) for name, path in (inputs or {}).items()}
    manifest = {"stage": stage, "config": config, "source": "0", "inputs": digests, "facts": facts}
    manifest |= {"identity": identity_of(stage, config, "0", digests), "outputs": describe_outputs(folder)}
    write_manifest(folder, manifest)
    return folder


def trained(root: Path, license: str | None = "MIT", private: bool = False) -> Path:
    """Write a checkout with a trained cell, and all that it was made from; return its folder."""
    about = {"license": license, "private": private, "source": {"name": "toy", "seed": 0}}
    corpus = artifact(root / "data/corpora/toy", "corpus", {**CORPUS, "private": private}, about=about)
    (root / "data/tokenizers/bytes").mkdir(parents=True)
    write_codec(BytesCodec(), root / "data/tokenizers/bytes/codec.json")
    tokenizer = artifact(root / "data/tokenizers/bytes", "tokenizer", {"kind": "bytes", "special_tokens": []})
    for split in ("train", "valid", "test"):
        (root / "data/shards/bytes@toy").mkdir(parents=True, exist_ok=True)
        ids = BytesCodec().encode_stream([f"{split} text"])
        write_shard(root / f"data/shards/bytes@toy/{split}-00000.bin", [ids], 257)
    inputs = {"corpus": corpus, "tokenizer": tokenizer}
    shards = artifact(root / "data/shards/bytes@toy", "encode", {"shard": None}, inputs)
    recipe = {"training": Training(epochs=1.0).complete(), "seed": 3}
    cell, _ = exported_cell(root / "results/mine/cells/toy.bytes.gpt2.base.s3/train", BytesCodec(), recipe)
    (cell / "state.pt").write_text("of the optimizer")
    config = {"model": {}, "training": {}, "seed": 3}
    artifact(cell, "train", config, {"shards": shards, "tokenizer": tokenizer}, status="finished")
    return cell.parent


def fine_tuned(cell: Path, use: str = "best") -> Path:
    """Write a cell that was fine-tuned from another; return its folder."""
    folder = cell.parent / f"{cell.name}.chat" / "finetune"
    recipe = {"training": Training(epochs=1.0).complete(), "seed": 3}
    recipe["finetuning"] = Finetuning(data="mine", epochs=1.0).complete()
    exported_cell(folder, BytesCodec(), recipe)
    files = {"train": [{"url": "https://host/a.jsonl", "sha256": "0" * 64, "members": None}]}
    config = {"dialogues": "question", "source": "url", "system": "Be brief.", "files": files}
    about = {"license": "CC BY 4.0", "private": False, "source": {"files": []}}
    dialogues = artifact(cell.parents[3] / "data/dialogues/mine", "corpus", config, about=about)
    inputs = {"train": cell / "train", "dialogues": dialogues}
    artifact(folder, "finetune", {"use": use}, inputs, status="finished")
    return folder.parent


def evaluated(cell: Path, use: str = "best", **more: object) -> dict:
    """Write the evaluation of a cell; return it."""
    figures = {"test_loss": 1.25, "perplexity": 3.5, "bpb": 1.8125, "word_perplexity": None}
    found = {
        "documents": 3,
        "bytes": 30,
        "scored_tokens": 33,
        "sliding": {"definition": "Overlap.", **figures},
        **more,
    }
    (cell / "evaluate").mkdir()
    (cell / "evaluate" / "evaluation.json").write_text(json.dumps(found))
    (stage,) = {path.name for path in cell.iterdir()} & {"train", "finetune"}
    artifact(cell / "evaluate", "evaluate", {"kind": "cell", "use": use}, {"train": cell / stage})
    return found


@pytest.mark.parametrize("to", ["hf", "bin", "safetensors"])
def test_a_folder_with_something_in_it_stays_as_it_is(to, tmp_path):
    cell, out = trained(tmp_path), tmp_path / "out"
    out.mkdir()
    assert export(cell, to, out) == out and any(out.iterdir())  # an empty one is taken
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UserError, match="is not empty; delete it, or give another folder"):
        export(cell, to, out)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_what_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    def full(loaded, folder, dtype):
        (folder / "model.safetensors").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(TARGETS, "hf", full)
    cell = trained(tmp_path / "checkout")
    with pytest.raises(UserError, match="No space left on device"):
        export(cell, "hf", tmp_path / "exports" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["checkout"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"to": "onnx"}, "no format 'onnx'; there are hf"),
        ({"dtype": "int8"}, "no dtype 'int8'; there are float32, float16, bfloat16"),
        ({"weights": "step"}, "has no weights 'step'; take best or last"),
        ({"folder": Path(__file__)}, "is no folder"),
        ({"folder": Path(__file__) / "out"}, "cannot be written"),
    ],
)
def test_what_cannot_be_is_said(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        export(**{"cell": trained(tmp_path), "to": "hf", "folder": tmp_path / "out", **changes})
    assert not (tmp_path / "out").exists()


def test_safetensors_are_a_cell_without_what_only_training_needs(tmp_path):
    cell = trained(tmp_path)
    out = export(cell, "safetensors", tmp_path / "out")
    assert {path.name for path in out.iterdir()} == {
        *("model.safetensors", "config.json", "codec.json", "tokenizer.json")
    }
    assert load(out, "cpu").generate("a", 20) == load(cell, "cpu").generate("a", 20)


def test_the_weights_that_are_asked_for(tmp_path):
    _, best = exported_cell(tmp_path / "cell" / "train", BytesCodec())
    _, last = exported_cell(tmp_path / "other", BytesCodec(), init_std=0.3)
    write_cell(tmp_path / "both", best, last=last)
    for weights, module in ((None, best), ("best", best), ("last", last)):
        out = export(tmp_path / "both", "safetensors", tmp_path / str(weights), weights=weights)
        ids = torch.tensor([[1, 2, 3]])
        assert torch.equal(load(out, "cpu").module(ids), module(ids))
    out = export(tmp_path / "both" / "last.safetensors", "safetensors", tmp_path / "file")
    assert torch.equal(load(out, "cpu").module(ids), last(ids))


def test_shards_are_those_of_the_training_as_they_are(tmp_path):
    cell = trained(tmp_path / "checkout")
    other = tmp_path / "checkout/data/shards/another@toy"
    other.mkdir()
    (other / "train-00000.bin").write_bytes(b"of another text")
    artifact(other, "encode", {"shard": None})
    out = export(cell, "bin", tmp_path / "out")
    for split in ("train", "valid", "test"):
        name = f"{split}-00000.bin"
        assert (out / name).read_bytes() == (tmp_path / "checkout/data/shards/bytes@toy" / name).read_bytes()
    assert {path.name for path in out.iterdir() if path.suffix != ".bin"} == {"codec.json", "tokenizer.json"}


def test_shards_are_found_in_the_store_and_for_a_fine_tuned_cell(tmp_path, monkeypatch):
    cell = trained(tmp_path / "checkout")
    taught = fine_tuned(cell)
    assert (export(taught, "bin", tmp_path / "one") / "train-00000.bin").is_file()
    store = tmp_path / "store" / "encode"
    store.mkdir(parents=True)
    (tmp_path / "checkout/data/shards/bytes@toy").rename(store / "0")
    with pytest.raises(UserError, match="cannot be found"):
        export(taught, "bin", tmp_path / "two")
    monkeypatch.setenv("GPTGRID_STORE", str(tmp_path / "store"))
    assert (export(taught, "bin", tmp_path / "two") / "train-00000.bin").is_file()


def test_a_copied_folder_says_that_its_shards_cannot_be_reached(tmp_path, monkeypatch):
    cell = trained(tmp_path / "checkout")
    (cell / "train").rename(tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "checkout" / "results")
    with pytest.raises(UserError, match="A copied folder does not say where they lie") as error:
        export(tmp_path / "copy", "bin", tmp_path / "out")
    assert str(Path.cwd()) in str(error.value) and not (tmp_path / "out").exists()
    monkeypatch.chdir(tmp_path / "checkout")  # there they are again
    assert export(tmp_path / "copy", "bin", tmp_path / "out")


def test_damaged_shards_are_refused(tmp_path):
    cell = trained(tmp_path / "checkout")
    path = tmp_path / "checkout/data/shards/bytes@toy/valid-00000.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\7")
    with pytest.raises(UserError, match=r"valid-00000\.bin does not have the sha256"):
        export(cell, "bin", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def card(cell: Path, out: Path, **options: object) -> str:
    return (export(cell, "hf", out, **options) / "README.md").read_text(encoding="utf-8")


def test_the_card_has_data_licence_figures_and_conventions(tmp_path):
    cell = trained(tmp_path / "checkout")
    evaluated(cell)
    text = card(cell, tmp_path / "out")
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "mit" and front["pipeline_tag"] == "text-generation"
    assert "# toy.bytes.gpt2.base.s3\n" in text and "licence: MIT" in text and "toy, seed 0" in text
    assert "| sliding | 1.2500 | 3.5000 | 1.8125 | – |" in text and "sliding: Overlap." in text


def test_figures_are_those_of_the_very_weights(tmp_path):
    cell = trained(tmp_path / "checkout")
    evaluated(cell)
    assert "No evaluation of these weights" in card(cell, tmp_path / "last", weights="last")
    (cell / "train" / "metrics.csv").write_text("another training")
    config = read_manifest(cell / "train")["config"]
    artifact(cell / "train", "train", config, {}, status="finished")
    assert "No evaluation of these weights" in card(cell, tmp_path / "other")


def answered(cell: Path, use: str = "best", exact: float | None = 0.325) -> None:
    """Write how a cell answers dialogues."""
    asked = {
        "asked": 200,
        "items": 90,
        "unreachable": 8,
        "exact": exact,
        "exact_low": 0.263,
        "exact_high": 0.393,
    }
    found = {
        **{"nats_per_byte": 0.5, "content_nats_per_byte": 0.25, "template": "chat"},
        "asked": {**asked, "chrf": 41.5, "chrf_signature": "nrefs:1"},
        "definitions": {"exact": "Letter by letter.", "chrf": "Of all."},
    }
    folder = cell / "dialogues" / "qa"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps(found))
    (stage,) = {path.name for path in cell.iterdir()} & {"train", "finetune"}
    artifact(folder, "evaluate", {"kind": "dialogues", "use": use}, {"train": cell / stage})


def test_the_card_says_how_a_cell_answers(tmp_path):
    cell = fine_tuned(trained(tmp_path / "checkout"))
    answered(cell)
    text = card(cell, tmp_path / "out")
    assert "| `qa` | 200 | 90 | 8 | 32.5% (26.3% to 39.3%) | 41.5000 | 0.5000 | 0.2500 |" in text
    assert "- exact: Letter by letter.\n- chrf: Of all." in text and "`nrefs:1`" in text
    assert "reads in its chat template" in text and "No evaluation" not in text
    assert "No evaluation of these weights" in card(cell, tmp_path / "last", weights="last")


def test_what_was_not_asked_has_no_figure_in_the_card(tmp_path):
    cell = trained(tmp_path / "checkout")
    answered(cell, exact=None)
    assert "| `qa` | 200 | 90 | 8 | – | 41.5000 |" in card(cell, tmp_path / "out")


def test_the_card_has_the_tasks(tmp_path):
    cell = trained(tmp_path / "checkout")
    figures = {"definition": "The likeliest.", "format": "choice", "items": 20, "longer_than_context": 3}
    evaluated(cell, tasks={"tales": {**figures, "accuracy": 0.55, "low": 0.325, "high": 0.75}})
    text = card(cell, tmp_path / "out")
    assert "| tales | choice | 20 | 55.0% (32.5% to 75.0%) | 3 |" in text and "choice: The likeliest." in text


def test_the_configuration_in_the_card_has_the_trainings_that_were_continued(tmp_path):
    cell = trained(tmp_path / "checkout")
    parent, parts = cell.with_name("toy.bytes.gpt2.first.s3") / "train", read_manifest(cell / "train")
    exported_cell(parent, BytesCodec(), {"training": Training(epochs=0.5).complete(), "seed": 3})
    data = tmp_path / "checkout" / "data"
    inputs = {"shards": data / "shards/bytes@toy", "tokenizer": data / "tokenizers/bytes"}
    artifact(parent, "train", parts["config"], inputs, status="finished")
    artifact(cell / "train", "train", parts["config"], {**inputs, "parent": parent}, status="finished")
    found = again(read_loaded(cell))
    (made,) = cells_of(Configuration(found, "again.yaml"))
    assert made.training.value.epochs == 1.0 and made.training.value.continues == "before-1"
    assert found["training"]["before-1"]["epochs"] == 0.5
    assert "continues: before-1" in card(cell, tmp_path / "out")
    shutil.rmtree(parent.parent)
    assert "(`continues`) was not found from here" in card(cell, tmp_path / "other")


def test_the_card_of_a_copied_folder_says_what_is_not_known(tmp_path):
    cell = trained(tmp_path / "checkout")
    (cell / "train").rename(tmp_path / "copy")
    text = card(tmp_path / "copy", tmp_path / "out")
    assert "# copy\n" in text and "license: unknown" in text and "Not found from here: the corpus." in text
    assert "corpora and tokenizers is private, or was not found" in text


def test_what_is_refused_leaves_no_folder(tmp_path):
    cell, _ = exported_cell(tmp_path / "cell" / "train", BytesCodec(), preset="modern")
    with pytest.raises(UserError, match="no model"):
        export(cell, "hf", tmp_path / "exports" / "a" / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["cell"]
    (tmp_path / "exports" / "a").mkdir(parents=True)
    with pytest.raises(UserError, match="no model"):
        export(cell, "hf", tmp_path / "exports" / "a" / "b")
    assert (tmp_path / "exports" / "a").is_dir()  # it was there before


def test_a_private_text_is_not_described(tmp_path):
    text = card(trained(tmp_path, private=True), tmp_path / "out")
    assert (
        "The corpus, which is private:" in text
        and "toy, seed 0" not in text
        and "source: builtin" not in text
    )


def test_the_configuration_in_the_card_is_that_of_the_cell(tmp_path):
    cell = trained(tmp_path / "checkout")
    found = again(read_loaded(cell))
    written = card(cell, tmp_path / "out").split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(written) == json.loads(json.dumps(found))
    configuration = Configuration(found, "again.yaml")
    recipe = json.loads((cell / "train" / "config.json").read_text())
    assert configuration.entry("models", "model").complete() == recipe["model"]
    assert configuration.entry("training", "training").complete() == recipe["training"]
    assert configuration.entry("corpora", "corpus").documents == 30
    assert found["grid"][0]["seed"] == 3


def test_the_card_of_a_fine_tuned_cell_has_both_data_and_both_recipes(tmp_path):
    cell = fine_tuned(trained(tmp_path / "checkout"))
    text = card(cell, tmp_path / "out")
    assert "licence: MIT" in text and "licence: CC BY 4.0" in text and "license: other" in text
    found = again(read_loaded(cell))
    configuration = Configuration(found, "again.yaml")
    recipe = json.loads((cell / "finetune" / "config.json").read_text())["finetuning"]
    assert configuration.entry("finetuning", "answers").complete() == {**recipe, "data": "dialogues"}
    dialogues = configuration.entry("dialogues", "dialogues")
    assert (dialogues.format, dialogues.system, dialogues.train[0].url) == (
        *("question", "Be brief.", "https://host/a.jsonl"),
    )
    assert found["grid"][0]["finetuning"] == "answers"


def test_the_configuration_in_the_card_has_the_weights_that_the_cell_is_about(tmp_path):
    cell = trained(tmp_path / "checkout")
    taught = fine_tuned(cell, use="last")
    for folder in (cell, taught):
        for name in ("training", "finetuning"):  # as real ones are
            recipe = json.loads((path := next(folder.glob("*/config.json"))).read_text())
            recipe.get(name, {}).pop("use", None)
            path.write_text(json.dumps(recipe))
    evaluated(cell, use="last")
    evaluated(taught, use="last")
    base = Configuration(again(read_loaded(cell)), "again.yaml")
    assert base.entry("training", "training").use == "last"
    found = Configuration(again(read_loaded(taught)), "again.yaml")
    assert found.entry("training", "training").use == found.entry("finetuning", "answers").use == "last"


def test_the_configuration_in_the_card_says_what_it_lacks_of_evaluation_and_samples(tmp_path):
    cell, task = trained(tmp_path / "checkout"), tmp_path / "checkout/data/tasks/mine"
    artifact(task, "corpus", {"task": "cloze", "files": [{"url": "https://host/a", "sha256": "0" * 64}]})
    inputs = {"train": cell / "train", "task:mine": task}
    artifact(cell / "evaluate", "evaluate", {"kind": "cell", "use": "best"}, inputs)
    for private in (False, True):
        config = {"kind": "cell", "prompts": ["A name"], **({"private": True} if private else {})}
        artifact(cell / "sample", "sample", config, {"train": cell / "train"})
        found = again(read_loaded(cell))
        assert found["evaluation"]["tasks"]["mine"] == {
            **{"source": "url", "format": "cloze", "url": "https://host/a", "sha256": "0" * 64}
        }
        assert found.get("sampling") == (None if private else {"prompts": ["A name"]})
    shutil.rmtree(task)
    assert again(read_loaded(cell))["evaluation"]["tasks"] == {"mine": None}
    found = "\n".join(again_sections(read_loaded(cell)))
    assert "What belongs under evaluation.tasks.mine is private, or was not found" in found


def test_the_dialogues_are_private(tmp_path):
    cell = fine_tuned(trained(tmp_path / "checkout"))
    dialogues = tmp_path / "checkout/data/dialogues/mine"
    config, about = read_manifest(dialogues)["config"], {"license": None, "private": True}
    artifact(dialogues, "corpus", {**config, "private": True}, about=about)
    inputs = {"train": cell.with_name("toy.bytes.gpt2.base.s3") / "train", "dialogues": dialogues}
    artifact(cell / "finetune", "finetune", {"use": "best"}, inputs, status="finished")
    text = card(cell, tmp_path / "out")
    assert "The dialogues, which are private:" in text and "The corpus:" in text
    shutil.rmtree(dialogues)
    text = card(cell, tmp_path / "other")
    assert "Not found from here: the dialogues." in text and "The corpus:" in text


def test_types_have_the_names_of_torch():
    assert all(isinstance(getattr(torch, name), torch.dtype) for name in DTYPES)
