"""From the `grid` of a configuration to its cells: which text, tokenizer, model, training and seed.

A cell knows its name and the resolved values of its parts. Where its files lie and what must run is the
business of `plan.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gptgrid.artifact.identity import canonical
from gptgrid.config.corpora import RandomCorpus, ShardsCorpus
from gptgrid.config.read import ConfigError, Configuration, unknown
from gptgrid.config.tokenizers import BpeTokenizer, CharTokenizer, IdsTokenizer
from gptgrid.config.values import BUDGETS

PARTS = {
    "corpus": "corpora",
    "tokenizer": "tokenizers",
    "model": "models",
    "training": "training",
}
"""Key of a grid block → section of the configuration."""


@dataclass(frozen=True)
class Part:
    """An entry of a section with the overrides of one cell."""

    name: str
    """As the configuration has it."""
    overrides: dict[str, Any]
    """Dotted key → value."""
    value: Any
    """The resolved entry."""

    @property
    def label(self) -> str:
        """The name with its overrides: `llama-xs+n_layer=4`."""
        return self.name + "".join(f"+{key}={plain(value)}" for key, value in self.overrides.items())


@dataclass(frozen=True)
class Cell:
    """One point of the grid."""

    corpus: Part
    tokenizer: Part
    model: Part
    training: Part
    seed: int
    tokenizer_corpus: Part | None = field(default=None)
    """What the tokenizer learns from; None where it learns nothing."""

    @property
    def name(self) -> str:
        """`<corpus>.<tokenizer>.<model>.<training>.s<seed>`."""
        parts = (self.corpus, self.tokenizer, self.model, self.training)
        return ".".join([*(part.label for part in parts), f"s{self.seed}"])

    @property
    def overrides(self) -> dict[str, Any]:
        """Every overridden key with the part that it belongs to: `model.n_layer` → 4."""
        return {
            f"{key}.{path}": value for key in PARTS for path, value in getattr(self, key).overrides.items()
        }


def plain(value: Any) -> str:
    """Return a value as it stands in a name."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "-".join(map(plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def cells_of(configuration: Configuration) -> list[Cell]:
    """Return the cells of the grid, in order, each once.

    Raises:
        ConfigError: a block names what is not defined, or a cell's parts do not go together.
    """
    cells: dict[str, Cell] = {}
    for number, block in enumerate(configuration.experiment.grid):
        where = f"{configuration.origin}: grid[{number}]"
        for choice in expand(configuration, block, where):
            cell = make_cell(configuration, choice, where)
            cells.setdefault(cell.name, cell)
    if not cells:
        raise ConfigError(f"{configuration.origin}: grid: it has no cell; `exclude` leaves nothing over")
    return list(cells.values())


def expand(configuration: Configuration, block: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """Yield key → value for each point of one block."""
    zipped, excluded = block.get("zip", []), block.get("exclude", [])
    axes = axes_of(configuration, block, where)
    for key in zipped:
        if key not in axes:
            raise ConfigError(f"{where}.zip: {unknown(key, axes, 'list')}")
    if len({len(axes[key]) for key in zipped}) > 1:
        lengths = ", ".join(f"{key} has {len(axes[key])}" for key in zipped)
        raise ConfigError(f"{where}.zip: the lists must be equally long, but {lengths}")
    for pattern in excluded:
        for key in pattern:
            if key not in axes:
                raise ConfigError(f"{where}.exclude: {unknown(key, axes, 'list')}")
    # The zipped lists advance together: they are one axis, in the place of the first of them.
    groups = [tuple(zipped) if key in zipped else (key,) for key in axes if key not in zipped[1:]]
    points = [
        [dict(zip(group, values, strict=True)) for values in zip(*(axes[key] for key in group), strict=True)]
        for group in groups
    ]
    for combination in itertools.product(*points):
        choice = {key: value for point in combination for key, value in point.items()}
        if not any(all(choice[key] == value for key, value in pattern.items()) for pattern in excluded):
            yield choice


def axes_of(configuration: Configuration, block: dict[str, Any], where: str) -> dict[str, list[Any]]:
    """Return key → values in the order of a cell's name, with the parts that a block leaves out."""
    given = {
        key: value if isinstance(value, list) else [value]
        for key, value in block.items()
        if key not in ("zip", "exclude")
    }
    axes: dict[str, list[Any]] = {}
    for key, section in PARTS.items():
        entries = list(getattr(configuration.experiment, section))
        if key not in given and len(entries) > 1:
            raise ConfigError(f"{where}: `{key}` is missing, and there is a choice: {', '.join(entries)}")
        axes[key] = given.pop(key, entries)
    seeds = given.pop("seed", [1])
    for key, values in given.items():
        part = key.split(".")[0]
        if part not in PARTS or "." not in key:
            known = [
                *PARTS,
                "seed",
                "zip",
                "exclude",
                *(f"{part}.<key>" for part in PARTS),
            ]
            raise ConfigError(f"{where}: {unknown(key, known, 'key')}")
        axes[key] = values
    axes["seed"] = seeds
    for key, values in axes.items():
        if not values:
            raise ConfigError(f"{where}.{key}: an empty list")
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ConfigError(f"{where}.seed: found {seed!r}, expected whole numbers from 0")
    return axes


def make_cell(configuration: Configuration, choice: dict[str, Any], where: str) -> Cell:
    """Return the cell of one point of a block, after checking that its parts go together."""
    parts = {}
    for key, section in PARTS.items():
        own = {path.split(".", 1)[1]: value for path, value in choice.items() if path.startswith(f"{key}.")}
        parts[key] = part_of(configuration, section, choice[key], own)
    tokenizer = parts["tokenizer"].value
    trained = isinstance(tokenizer, CharTokenizer | BpeTokenizer | IdsTokenizer)
    train_on = getattr(tokenizer, "train_on", None)
    learned_from = part_of(configuration, "corpora", train_on, {}) if train_on else parts["corpus"]
    cell = Cell(**parts, seed=choice["seed"], tokenizer_corpus=learned_from if trained else None)
    try:
        check_cell(cell, configuration.experiment.evaluation.stride)
    except ValueError as error:
        raise ConfigError(f"{where}: cell {cell.name}: {error}") from None
    parent_of(configuration, cell)
    return cell


def part_of(configuration: Configuration, section: str, name: Any, overrides: dict[str, Any]) -> Part:
    """Return a resolved entry with its overrides."""
    for value in overrides.values():
        if any(mark in canonical(value) for mark in "/{}\\"):
            raise ConfigError(f"{configuration.origin}: grid: {value!r} cannot stand in the name of a cell")
    return Part(str(name), overrides, configuration.entry(section, str(name), overrides))


def check_cell(cell: Cell, evaluation_stride: int | None) -> None:
    """Check what depends on two parts of a cell at once."""
    training, model = cell.training.value, cell.model.value
    if evaluation_stride is not None and evaluation_stride > model.context:
        raise ValueError(f"evaluation.stride {evaluation_stride} is longer than context {model.context}")
    if training.batch_tokens != "auto" and training.batch_tokens % model.context:
        below = training.batch_tokens // model.context * model.context
        near = [str(number) for number in (below, below + model.context) if number]
        raise ValueError(
            f"batch_tokens {training.batch_tokens} is not a multiple of context {model.context}; "
            f"the nearest that are: {', '.join(near)}"
        )
    if training.stride is not None and training.stride > model.context:
        raise ValueError(f"training stride {training.stride} is longer than context {model.context}")
    brings_ids = isinstance(cell.corpus.value, RandomCorpus | ShardsCorpus)
    endless = brings_ids and getattr(cell.corpus.value, "eot", None) is None
    if endless and training.windows == "document":
        raise ValueError("`windows: document` needs end-of-text tokens, which a corpus of bare ids has not")
    if endless and model.document_mask:
        raise ValueError("`document_mask` needs end-of-text tokens, which a corpus of bare ids has not")
    if brings_ids != isinstance(cell.tokenizer.value, IdsTokenizer):
        corpus, tokenizer = cell.corpus.label, cell.tokenizer.label
        raise ValueError(
            f"corpus {corpus} brings token ids and needs a tokenizer of kind ids, not {tokenizer}"
            if brings_ids
            else f"tokenizer {tokenizer} (kind ids) is for corpora that bring token ids, and {corpus} is text"
        )


MUST_MATCH = (
    "batch_tokens",
    "micro_batch",
    "windows",
    "stride",
    "optimizer",
    "precision",
)
"""What a continued training shares with its parent: the meaning of a step, and of the stored state."""


def parent_of(configuration: Configuration, cell: Cell) -> Cell | None:
    """Return the cell that this cell's training continues; None if it starts fresh.

    Raises:
        ConfigError: there is no such training, or its state does not fit.
    """
    name = cell.training.value.continues
    if name is None:
        return None
    where = f"{configuration.origin}: training.{cell.training.name}.continues"
    shared = {key: value for key, value in cell.training.overrides.items() if key not in BUDGETS}
    parent = replace(cell, training=part_of(configuration, "training", name, shared))
    old, new = parent.training.value, cell.training.value
    for key in MUST_MATCH:
        # What batch_tokens `auto` became, the trainer compares with the number here.
        if getattr(old, key) != getattr(new, key) and (key, getattr(old, key)) != ("batch_tokens", "auto"):
            raise ConfigError(f"{where}: {key} is {getattr(old, key)} in {name} and {getattr(new, key)} here")
    for unit in BUDGETS:
        before, now = getattr(old, unit), getattr(new, unit)
        if before is not None and now is not None and now <= before:
            raise ConfigError(f"{where}: {unit} must grow, but {name} has {before} and this has {now}")
    if parent.name == cell.name:
        raise ConfigError(f"{where}: a training cannot continue itself")
    return parent
