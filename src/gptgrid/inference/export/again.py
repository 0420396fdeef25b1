"""How to make a cell again: an experiment with it alone, and the command."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any

import yaml

from gptgrid.artifact.manifest import read_provenance
from gptgrid.config.checkpoints import TOKENIZER
from gptgrid.config.corpora import Remote
from gptgrid.config.experiment import VARIANTS
from gptgrid.config.finetuning import Finetuning
from gptgrid.config.models import OWN_KEYS, Model
from gptgrid.config.parse import read_scalar
from gptgrid.config.training import Training
from gptgrid.inference.cell import weights_of
from gptgrid.inference.export.asked import asked
from gptgrid.inference.export.loaded import Loaded
from gptgrid.inference.export.origins import Origins, base_of, data_of, known, text_of
from gptgrid.model.load import read_recipe

NAMES = ("corpus", "tokenizer", "model", "training")
"""What the entries of the experiment are called."""
REMOTE = tuple(Remote.model_fields)
FOLDER = "FOLDER-OF-OTHERS"
"""In place of the path of a folder with a model of others."""
PARENT = "parent"
"""Name of the input of a training that is the one which it continued."""


def again_sections(loaded: Loaded) -> Iterator[str]:
    """Yield the configuration that makes the cell, and the command, as markdown."""
    if loaded.imported and not loaded.fine_tuned:
        yield "The weights are those of others (`models: huggingface`); only their format was changed."
        return
    commit = read_provenance(loaded.folder).get("commit")
    experiment = again(loaded)
    yield (
        f"Write this to `again.yaml` in a checkout of gptgrid{f' at the commit {commit}' if commit else ''}, "
        "and run `snakemake --configfile again.yaml`:"
    )
    yield f"```yaml\n{dump(experiment)}```"
    if name := loaded.others:
        yield (
            f"The weights here are not those that this evaluates: {those(name)}. "
            f'`gptgrid export "CELL@{name}" --to hf` writes them.'
        )
    origins = Origins(loaded.folder)
    *_, first = base_of(loaded), *parents_of(origins, base_of(loaded))
    manifest = origins.manifest(*first) or {"config": {}, "inputs": {}}
    if PARENT in manifest["inputs"]:
        yield "A training that it continued (`continues`) was not found from here, and is not among this."
    if loaded.of_others:
        yield (
            f"In place of `{FOLDER}`, put the path of the folder with the model of others; its files are "
            "named above."
        )
    lacking = [key for key, value in experiment.items() if value is None]
    tasks = experiment.get("evaluation", {}).get("tasks", {})
    lacking += [f"evaluation.tasks.{name}" for name, value in tasks.items() if value is None]
    if lacking:
        yield f"What belongs under {' and '.join(lacking)} is private, or was not found from here."


def those(name: str) -> str:
    """Return in words which weights are meant by a name behind `CELL@`."""
    words = {"best": "those of the lowest validation loss", "last": "the last ones"}
    return words.get(name) or f"those after step {int(name):,}"


def dump(values: dict[str, Any]) -> str:
    """Return a mapping as YAML, keys in their order."""
    return yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True)


class Dumper(yaml.SafeDumper):
    """Writes texts so that YAML 1.2 reads them as such: PyYAML, which knows 1.1, writes `1e3` and `08` bare,
    and a NEL, which 1.1 takes for a line end, as it is."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        plain = text.isprintable() and read_scalar(text) == text
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


Dumper.add_representer(str, Dumper.represent_str)


def again(loaded: Loaded) -> dict[str, Any]:
    """Return an experiment with the cell alone; None for sections that cannot be found."""
    recipe, origins, text = loaded.recipe, Origins(loaded.folder), text_of(loaded)
    tokenizer = origins.manifest(*base_of(loaded), "tokenizer")
    corpora = entry("corpus", variant("corpora", "source", text))
    tokenizers = entry("tokenizer", variant("tokenizers", "kind", tokenizer))
    learned_from = origins.manifest(*base_of(loaded), "tokenizer", "corpus")
    if corpora and tokenizers and learned_from and learned_from["outputs"] != text["outputs"]:
        tokenizers["tokenizer"]["train_on"] = "other"
        corpora["other"] = variant("corpora", "source", learned_from)
    if loaded.of_others and tokenizers and "file" in tokenizers["tokenizer"]:
        tokenizers["tokenizer"]["file"] = f"{FOLDER}/{TOKENIZER}"
    found = {
        "experiment": "again",
        "corpora": corpora,
        "tokenizers": tokenizers,
        "models": entry("model", model_of(loaded)),
        **({} if loaded.imported else {"training": trainings(loaded)}),
    }
    names = [name for name in NAMES if not (name == "training" and loaded.imported)]
    block = {**{name: name for name in names}, "seed": recipe["seed"]}
    if loaded.fine_tuned:
        dialogues = variant("dialogues", "source", data_of(loaded)["dialogues"])
        own = {"data": "dialogues", "use": weights_of(loaded.folder)}
        taught = known(Finetuning, {**recipe["finetuning"], **own})
        found |= {"dialogues": entry("dialogues", dialogues), "finetuning": entry("answers", taught)}
        block["finetuning"] = "answers"
    return {**found, **asked(loaded), "grid": [block]}


def model_of(loaded: Loaded) -> dict[str, Any]:
    """Return the entry of the model; of one that others trained, that of its folder."""
    model = loaded.recipe["model"]
    if not loaded.of_others:
        return known(Model, model)
    return {**known(Model, {key: model[key] for key in OWN_KEYS if key in model}), "huggingface": FOLDER}


def trainings(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """Return the entry of the training, and those of the trainings that it continued, as far as found."""
    origins = Origins(loaded.folder)
    ways = parents_of(origins, base_of(loaded))
    recipes = [loaded.recipe, *(read_recipe(origins.path(*way)) for way in ways)]
    names = ["training", *(f"before-{number}" for number in range(1, len(recipes)))]
    found = {name: known(Training, recipe["training"]) for name, recipe in zip(names, recipes, strict=True)}
    found["training"] |= known(Training, {"use": used_of_training(loaded)})
    for name, parent in pairwise(names):
        found[name]["continues"] = parent
    return found


def used_of_training(loaded: Loaded) -> str | None:
    """Return which weights of its training a cell is about: `use`, which decides no training and so does not
    stand in its recipe. None if it cannot be found."""
    if not loaded.fine_tuned:
        return weights_of(loaded.folder)
    manifest = Origins(loaded.folder).manifest()
    return manifest and manifest["config"].get("use")


def parents_of(origins: Origins, way: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the ways to the trainings that one continued, the last one first, as far as they are found.

    Args:
        origins: of the cell.
        way: from the cell to the training.
    """
    found = []
    while origins.path(*(way := (*way, PARENT))):
        found.append(way)
    return found


def entry(name: str, keys: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a section with one entry."""
    return keys and {name: keys}


def variant(section: str, key: str, manifest: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the entry of a section that an artifact was made from; None if it is not known, or private.

    Args:
        section: with variants.
        key: that says which of them an entry is.
        manifest: of the artifact.
    """
    if manifest is None or manifest["config"].get("private"):
        return None
    config = dict(manifest["config"])
    if section == "dialogues":
        config["format"] = config["dialogues"]
    if config.get("source") == "url":
        config |= addresses(config["files"], ("url", "sha256") if section == "dialogues" else REMOTE)
    return known(VARIANTS[section][config[key]], config)


def addresses(files: dict[str, list[dict[str, Any]]], keys: Collection[str]) -> dict[str, Any]:
    """Return the keys that name files on the web.

    Args:
        files: split → what a slice of the configuration says of each; `all` is still to be cut.
        keys: that a file may have.
    """
    named = {
        split: [{key: file[key] for key in keys if file.get(key) is not None} for file in each]
        for split, each in files.items()
    }
    whole = named.pop("all", [])
    return named or ({"url": whole} if len(whole) > 1 else {key: whole[0][key] for key in ("url", "sha256")})
