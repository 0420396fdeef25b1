"""Writes what is generated from the configuration classes: config/README.md and the JSON schema."""

from __future__ import annotations

import json
from inspect import getdoc
from pathlib import Path
from typing import Any

from gptgrid.config.corpora import Clean, CommonCorpus, Reading, Split, TextCorpus
from gptgrid.config.dialogues import CommonDialogues, DialogueFiles, DialogueSplit
from gptgrid.config.experiment import (
    VARIANTS,
    Answers,
    ConfigurationFile,
    Decoding,
    DocumentPrompts,
    Evaluation,
    Run,
    Sampling,
)
from gptgrid.config.finetuning import Finetuning, Lora
from gptgrid.config.models import Model
from gptgrid.config.suggest import CONVERSIONS, NO_KEYS, SYNONYMS, places_of
from gptgrid.config.tasks import Task
from gptgrid.config.training import Training
from gptgrid.config.values import SCALED, Section

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "config" / "README.md"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.json"

SHARED: dict[type[Section], tuple[type[Section], ...]] = {
    CommonCorpus: (TextCorpus, Reading),
    CommonDialogues: (CommonDialogues, DialogueFiles),
    Finetuning: (Training,),
}
"""Class → classes whose keys come last among its own, those of the first behind all."""

INTRODUCTION = """\
# Configuration

<!-- Generated from src/gptgrid/config by `make docs`. -->

`config/config.yaml` is the default experiment, `config/recipes/*.yaml` are others:
`snakemake --configfile config/recipes/shakespeare.yaml`. A file stands alone; several after one
`--configfile` are merged, later ones over earlier ones.

`--config quick=true` applies a file's `quick` section. `--config 'models={gpt2: {n_layer: 2}}'` changes any
other value for one run; an entry that it names must be in the file.

Files are YAML 1.2. Numbers may be written `2M`, `10k`, `1e-3`; they are finite. Every entry of `corpora`,
`tokenizers`, `models`, `training`, `dialogues` and `finetuning` may start from another entry of its section
with `base: NAME`. Unknown keys are errors.

```yaml
corpora:    {mine: {source: files, paths: ["texts/*.txt"]}}
tokenizers: {char: {kind: char}, bpe: {kind: bpe, vocab_size: 1000}}
models:     {small: {preset: gpt2, n_layer: 4, d_model: 128}, modern: {base: small, preset: modern}}
training:   {base: {tokens: 1M, lr: 1e-3}}
grid:
  - {tokenizer: [char, bpe], model: [small, modern], seed: [1, 2], training.lr: [1e-3, 3e-3]}
```

## The grid

`grid` is a list of blocks, and their union is the grid. A block is the cross product of its lists:

| key | meaning |
|---|---|
| `corpus`, `tokenizer`, `model`, `training` | names; may be left out where a section has one entry |
| `finetuning` | names of recipes that each cell is fine-tuned by; default: by none |
| `seed` | seeds of initialization, data order and dropout; default `[1]` |
| `<part>.<key>` | values for a key of that part: `model.n_layer: [2, 4]`; each is a cell of its own |
| `zip` | lists of the block that advance together instead of crossing: `zip: [model, training]` |
| `exclude` | cells to leave out: `exclude: [{tokenizer: char, model: modern}]`; each must leave out some |

A cell is named `<corpus>.<tokenizer>.<model>.<training>.s<seed>`, with overrides added to their part:
`mine.bpe.small+n_layer=2.base.s1`. A list, or text with other characters than `A-Z a-z 0-9 _ . + = , @ -`,
stands there as a short hash: `mine+license=3f2a9c1e`. What is fine-tuned from a cell is named
`<cell>.<finetuning>`; the cell stays what it is. An `exclude` with a key of fine-tuning leaves out what is
fine-tuned, not the cell.
"""


OTHER_NAMES = """\
## Names in other projects

What nanoGPT, LLMs-from-scratch, llama, transformers, PyTorch, peft and trl call our keys. An unknown key is
answered with these, too.
"""


def reference() -> str:
    """Return config/README.md."""
    parts = [INTRODUCTION, "## Top level\n", ConfigurationFile.__doc__ + "\n", table(ConfigurationFile)]
    parts += sources("Corpora") + sources("Tokenizers")
    parts += keys("### split", Split) + keys("### clean", Clean)
    parts += keys("## Models", Model) + keys("## Training", Training)
    parts += sources("Dialogues") + keys("### split of dialogues", DialogueSplit)
    for title, model in (
        ("## Fine-tuning", Finetuning),
        ("### lora", Lora),
        ("## Evaluation", Evaluation),
        ("### answers", Answers),
        ("## Task", Task),
        ("## Sampling", Sampling),
        ("## Document prompts", DocumentPrompts),
        ("## Decoding", Decoding),
        ("## Run", Run),
    ):
        parts += keys(title, model)
    return "\n".join([*parts, OTHER_NAMES, other_names()])


def sources(title: str) -> list[str]:
    """Return a section whose entries have other keys by their source or kind."""
    parts = [f"## {title}\n"]
    for name, variant in VARIANTS[title.lower()].items():
        parts += keys(f"### {name}", variant)
    return parts


def keys(heading: str, model: type[Section]) -> list[str]:
    """Return what a class is, and its keys."""
    return [f"{heading}\n", f"{getdoc(model)}\n", table(model)]


def other_names() -> str:
    """Return what keys are called in other projects, as a Markdown table."""
    rows = ["| there | here | |", "|---|---|---|"]
    for name, ours in sorted(SYNONYMS.items()):
        rows.append(f"| `{name}` | `{places_of(ours)[0]}` | {CONVERSIONS.get(name, 'the same value')} |")
    rows += [f"| `{name}` | | {instead} |" for name, instead in sorted(NO_KEYS.items())]
    return "\n".join(rows) + "\n"


def table(model: type[Section]) -> str:
    """Return the keys of a class as a Markdown table."""
    rows = ["| key | values | default | meaning |", "|---|---|---|---|"]
    properties = model.model_json_schema()["properties"]
    # What is a class's own comes before what it shares with others.
    shared = next((kinds for kind, kinds in SHARED.items() if issubclass(model, kind)), ())
    for key in sorted(properties, key=lambda key: [key in kind.model_fields for kind in shared]):
        schema, field = properties[key], model.model_fields[key]
        default = "required" if field.is_required() else shown(schema.get("default"))
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        rows.append(f"| `{key}` | {values(schema)} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def shown(default: Any) -> str:
    """Return a default value for the table."""
    if default is None or default == {}:
        return ""
    if isinstance(default, dict) and not all(isinstance(value, str) for value in default.values()):
        return "see below"
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def values(schema: dict[str, Any]) -> str:
    """Return which values a property takes, in words."""
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if kinds := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(values(s) for s in kinds if s.get("type") != "null"))
    if "$ref" in schema:
        return f"keys of {schema['$ref'].rsplit('/', 1)[-1].lower()}"
    bounds = [
        f"{sign} {schema[key]:g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in schema
    ]
    names = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true`, `false`"}
    kind = schema.get("type")
    if kind == "array":
        return f"list of {values(schema['items'])}" if "items" in schema else "list of two numbers"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"name → {values(inner)}" if isinstance(inner, dict) and inner else "name → keys"
    return " ".join([names.get(kind, "any"), ", ".join(bounds)]).strip()


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file, for editors."""
    top = ConfigurationFile.model_json_schema()
    definitions = top.setdefault("$defs", {})
    for section, adapter in ConfigurationFile.sections.items():
        entry = adapter.json_schema(ref_template="#/$defs/{model}")
        definitions.update(entry.pop("$defs", {}))
        variants = entry.pop("oneOf", None)
        if variants is None:
            definitions[entry["title"]] = entry
            variants = [{"$ref": f"#/$defs/{entry['title']}"}]
        for variant in variants:
            definition = definitions[variant["$ref"].rsplit("/", 1)[-1]]
            definition["properties"]["base"] = {"type": "string", "description": "Start from this entry."}
            definition.pop("required", None)  # a base may bring it
        top["properties"][section]["additionalProperties"] = {"anyOf": variants}
    take_scaled_numbers(top)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top}


def take_scaled_numbers(schema: Any) -> None:
    """Let every number of a JSON schema be written `2M`, too: what is said of one applies to no text."""
    if isinstance(schema, list):
        for each in schema:
            take_scaled_numbers(each)
    elif isinstance(schema, dict):
        if schema.get("type") in ("integer", "number"):
            schema |= {"type": [schema["type"], "string"], "pattern": f"^{SCALED}$"}
        for each in schema.values():
            take_scaled_numbers(each)


def main() -> None:
    """Write both files."""
    REFERENCE.write_text(reference(), encoding="utf-8")
    SCHEMA.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
