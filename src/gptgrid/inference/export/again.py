"""How to make a cell again: an experiment with it alone, and the command."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any

import yaml

from gptgrid.artifact.manifest import read_provenance
from gptgrid.config.corpora import Remote
from gptgrid.config.experiment import VARIANTS
from gptgrid.config.finetuning import Finetuning
from gptgrid.config.models import Model
from gptgrid.config.training import Training
from gptgrid.config.values import Section
from gptgrid.inference.export.loaded import Loaded
from gptgrid.inference.export.origins import Origins, base_of, data_of
from gptgrid.model.load import read_recipe

NAMES = ("corpus", "tokenizer", "model", "training")
"""What the entries of the experiment are called."""
REMOTE = tuple(Remote.model_fields)
PARENT = "parent"
"""Name of the input of a training that is the one which it continued."""


def again_sections(loaded: Loaded) -> Iterator[str]:
    """Yield the configuration that makes the cell, and the command, as markdown."""
    if loaded.recipe.get("imported"):
        yield "The weights are others' (`models: huggingface`); only their format was changed."
        return
    commit = read_provenance(loaded.folder).get("commit")
    experiment = again(loaded)
    yield (
        f"Write this to `again.yaml` in a checkout of gptgrid{f' at the commit {commit}' if commit else ''}, "
        "and run `snakemake --configfile again.yaml`:"
    )
    yield f"```yaml\n{dump(experiment)}```"
    origins = Origins(loaded.folder)
    *_, first = base_of(loaded), *parents_of(origins, base_of(loaded))
    manifest = origins.manifest(*first) or {"config": {}, "inputs": {}}
    if PARENT in manifest["inputs"]:
        yield "A training that it continued (`continues`) was not found from here, and is not among this."
    if "start" in manifest["config"]:
        yield "Its training began with weights of others (`huggingface`), which are not among this."
    if lacking := [key for key, value in experiment.items() if value is None]:
        yield f"What belongs under {' and '.join(lacking)} is private, or was not found from here."


def dump(values: dict[str, Any]) -> str:
    """Return a mapping as YAML, keys in their order."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def again(loaded: Loaded) -> dict[str, Any]:
    """Return an experiment with the cell alone; None for sections that cannot be found."""
    recipe, data, origins = loaded.recipe, data_of(loaded), Origins(loaded.folder)
    tokenizer = origins.manifest(*base_of(loaded), "tokenizer")
    corpora = entry("corpus", variant("corpora", "source", data.get("corpus")))
    tokenizers = entry("tokenizer", variant("tokenizers", "kind", tokenizer))
    learned_from = origins.manifest(*base_of(loaded), "tokenizer", "corpus")
    if corpora and tokenizers and learned_from and learned_from["outputs"] != data["corpus"]["outputs"]:
        tokenizers["tokenizer"]["train_on"] = "other"
        corpora["other"] = variant("corpora", "source", learned_from)
    found = {
        "experiment": "again",
        "corpora": corpora,
        "tokenizers": tokenizers,
        "models": entry("model", known(Model, recipe["model"])),
        "training": trainings(loaded),
    }
    block = {**{name: name for name in NAMES}, "seed": recipe["seed"]}
    if "finetuning" in recipe:
        dialogues = variant("dialogues", "source", data.get("dialogues"))
        taught = {**known(Finetuning, recipe["finetuning"]), "data": "dialogues"}
        found |= {"dialogues": entry("dialogues", dialogues), "finetuning": entry("answers", taught)}
        block["finetuning"] = "answers"
    return {**found, "grid": [block]}


def trainings(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """Return the entry of the training, and those of the trainings that it continued, as far as found."""
    origins = Origins(loaded.folder)
    ways = parents_of(origins, base_of(loaded))
    recipes = [loaded.recipe, *(read_recipe(origins.path(*way)) for way in ways)]
    names = ["training", *(f"before-{number}" for number in range(1, len(recipes)))]
    found = {name: known(Training, recipe["training"]) for name, recipe in zip(names, recipes, strict=True)}
    for name, parent in pairwise(names):
        found[name]["continues"] = parent
    return found


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


def known(section: type[Section], config: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a section in a slice of the configuration; what is not set is left out."""
    return {key: config[key] for key in section.model_fields if config.get(key) is not None}
