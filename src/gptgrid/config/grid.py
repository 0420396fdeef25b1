"""From the `grid` of a configuration to its cells: which text, tokenizer, model, training and seed.

A cell knows its name and the resolved values of its parts. Where its files lie and what must run is the
business of the plan.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gptgrid.artifact.identity import digest
from gptgrid.config.corpora import RandomCorpus, ShardsCorpus
from gptgrid.config.errors import ConfigError
from gptgrid.config.experiment import Evaluation
from gptgrid.config.parse import read_scalar
from gptgrid.config.read import Configuration
from gptgrid.config.suggest import closest, places_of, unknown, unknown_key
from gptgrid.config.tokenizers import BpeTokenizer, CharTokenizer, HuggingFaceTokenizer, IdsTokenizer
from gptgrid.config.training import Untrained
from gptgrid.config.values import BUDGETS, read_count

PARTS = {
    "corpus": "corpora",
    "tokenizer": "tokenizers",
    "model": "models",
    "training": "training",
}
"""Key of a grid block → section of the configuration."""
UNTRAINED = "none"
"""What the training of a checkpoint of others is called."""
IN_NAMES = re.compile(r"[A-Za-z0-9_.+=,-]+")
"""What may stand in the name of a cell: names become paths and reach a shell."""


@dataclass(frozen=True)
class Choice:
    """The entry of a section that a cell takes, with the cell's overrides."""

    name: str
    """As the configuration has it."""
    overrides: dict[str, Any]
    """Dotted key → value."""
    value: Any
    """The resolved entry."""
    repeated: tuple[str, ...] = ()
    """The overridden keys whose value the entry has without them, too."""

    @property
    def label(self) -> str:
        """The name with its overrides: `llama-xs+n_layer=4`."""
        return self.name + "".join(f"+{key}={in_name(value)}" for key, value in self.overrides.items())

    @property
    def meaning(self) -> tuple[str, ...]:
        """What makes two choices the same that vary the same keys of an entry."""
        return self.name, *self.overrides, digest(self.value.complete())


@dataclass(frozen=True)
class Cell:
    """One point of the grid."""

    corpus: Choice
    tokenizer: Choice
    model: Choice
    training: Choice
    seed: int
    tokenizer_corpus: Choice | None = field(default=None)
    """What the tokenizer learns from; None where it learns nothing."""

    @property
    def imported(self) -> bool:
        """Say whether its model is a checkpoint of others."""
        return self.model.value.huggingface is not None

    @property
    def name(self) -> str:
        """`<corpus>.<tokenizer>.<model>.<training>.s<seed>`."""
        return ".".join([*(choice.label for choice in self.choices.values()), f"s{self.seed}"])

    @property
    def choices(self) -> dict[str, Choice]:
        """Key of a grid block → what the cell takes for it, in the order of the name."""
        return {key: getattr(self, key) for key in PARTS}

    @property
    def overrides(self) -> dict[str, Any]:
        """Every overridden key with the part that it belongs to: `model.n_layer` → 4."""
        return {
            f"{key}.{path}": value
            for key, choice in self.choices.items()
            for path, value in choice.overrides.items()
        }

    @property
    def repeated(self) -> list[str]:
        """The overridden keys, named like `overrides`, that change nothing in their entry."""
        return [f"{key}.{path}" for key, choice in self.choices.items() for path in choice.repeated]


def in_name(value: Any) -> str:
    """Return a value as it stands in a name; a list, a sentence and the like become a short hash."""
    if isinstance(value, str):
        value = read_scalar(value)  # the text 1e-3 is the number
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)  # two numbers may have one short form
    if isinstance(value, int) or (isinstance(value, str) and IN_NAMES.fullmatch(value)):
        return str(value)
    return digest(value)[:8]


def cells_of(configuration: Configuration) -> list[Cell]:
    """Return the cells of the grid, in order, each once.

    Raises:
        ConfigError: a block names what is not defined, or a cell's parts do not go together.
    """
    cells: dict[str, Cell] = {}
    labels: dict[str, Choice] = {}
    values: dict[tuple[str, ...], Choice] = {}
    origin = configuration.origin_of("grid")
    for number, block in enumerate(configuration.experiment.grid):
        where = f"{origin}: grid[{number}]"
        for point in expand(configuration, block, where):
            cell = make_cell(configuration, point, where)
            for key, choice in cell.choices.items():
                first = labels.setdefault(f"{key} {choice.label}", choice)
                check_label(key, first, choice, where)
                if first is choice:
                    check_value(key, values.setdefault((key, *choice.meaning), choice), choice, where)
            cells.setdefault(cell.name, cell)
    if not cells:
        raise ConfigError(f"{origin}: grid: it has no cell; `exclude` leaves nothing over")
    return list(cells.values())


def check_label(key: str, first: Choice, second: Choice, where: str) -> None:
    """Refuse two different choices with one name, such as null and the text none."""
    if first.value != second.value:
        raise ConfigError(
            f"{where}: {key} {first.label} would name both {first.overrides} and {second.overrides}; "
            "leave one out, or give each an entry of its own"
        )


def check_value(key: str, first: Choice, second: Choice, where: str) -> None:
    """Refuse two names for one choice, such as the tokens 2M and 2000000."""
    if first is not second:
        raise ConfigError(f"{where}: {key} {first.label} and {second.label} are the same; leave one out")


def expand(configuration: Configuration, block: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """Return key → value for each point of one block."""
    axes = axes_of(configuration, block, where)
    points = product_of(axes, zip_of(axes, block, where))
    patterns = exclude_of(axes, block, where)
    for number, pattern in enumerate(patterns):
        if not any(matches(point, pattern) for point in points):
            raise ConfigError(
                f"{where}.exclude[{number}]: no cell of the block has all of these values together"
            )
    return [point for point in points if not any(matches(point, pattern) for pattern in patterns)]


def product_of(axes: dict[str, list[Any]], zipped: list[str]) -> list[dict[str, Any]]:
    """Return the points of the cross product of lists, of which some advance together."""
    # The zipped lists are one axis, in the place of the first of them.
    groups = [tuple(zipped) if key in zipped else (key,) for key in axes if key not in zipped[1:]]
    steps = [
        [dict(zip(group, values, strict=True)) for values in zip(*(axes[key] for key in group), strict=True)]
        for group in groups
    ]
    return [
        {key: value for step in combination for key, value in step.items()}
        for combination in itertools.product(*steps)
    ]


def zip_of(axes: dict[str, list[Any]], block: dict[str, Any], where: str) -> list[str]:
    """Return the keys of the lists that advance together, after checking that they can."""
    zipped = block.get("zip", [])
    if not isinstance(zipped, list):
        raise ConfigError(
            f"{where}.zip: found {zipped!r}, expected a list of keys, such as [model, training]"
        )
    for key in map(str, zipped):
        if key not in axes:
            raise ConfigError(f"{where}.zip: {unknown(key, axes, 'list')}")
    if twice := next((key for key in zipped if zipped.count(key) > 1), None):
        raise ConfigError(f"{where}.zip: {twice} is there twice")
    if len({len(axes[key]) for key in zipped}) > 1:
        lengths = ", ".join(f"{key} has {len(axes[key])}" for key in zipped)
        raise ConfigError(f"{where}.zip: the lists must be equally long, but {lengths}")
    return zipped


def exclude_of(axes: dict[str, list[Any]], block: dict[str, Any], where: str) -> list[dict[str, list[Any]]]:
    """Return the block's `exclude`: for each entry, key → the values of that list that it means."""
    patterns = block.get("exclude", [])
    if not isinstance(patterns, list) or not all(isinstance(pattern, dict) for pattern in patterns):
        raise ConfigError(
            f"{where}.exclude: found {patterns!r}, expected a list such as [{{model: small, seed: 1}}]"
        )
    if {} in patterns:
        raise ConfigError(
            f"{where}.exclude[{patterns.index({})}]: it is empty, so that it would match every cell"
        )
    return [
        {key: meant_by(value, key, axes, f"{where}.exclude[{number}]") for key, value in pattern.items()}
        for number, pattern in enumerate(patterns)
    ]


def meant_by(value: Any, key: str, axes: dict[str, list[Any]], where: str) -> list[Any]:
    """Return the values of a list that are equal to one in `exclude`, however they are written."""
    if key not in axes:
        raise ConfigError(f"{where}: {unknown(key, axes, 'list')}")
    meant = [each for each in axes[key] if as_read(each) == as_read(value)]
    if not meant:
        raise ConfigError(f"{where}.{key}: {unknown(value, axes[key], 'value')}")
    return meant


def as_read(value: Any) -> tuple[bool, Any]:
    """Return a value so that equal ones are equal: 1e-3, 0.001 and the text 1e-3, but not true and 1."""
    value = read_count(value)
    value = read_scalar(value) if isinstance(value, str) else value
    return isinstance(value, bool), value


def matches(point: dict[str, Any], pattern: dict[str, list[Any]]) -> bool:
    """Say whether a point has one of a pattern's values for each of its keys."""
    return all(point[key] in values for key, values in pattern.items())


def axes_of(configuration: Configuration, block: dict[str, Any], where: str) -> dict[str, list[Any]]:
    """Return key → values: the entries in the order of a cell's name, overrides as written, the seeds."""
    given = {
        key: value if isinstance(value, list) else [value]
        for key, value in block.items()
        if key not in ("zip", "exclude")
    }
    for key in given:
        if key != "seed" and key.split(".")[0] not in PARTS:
            raise ConfigError(f"{where}: {unknown_axis(key)}")
    axes: dict[str, list[Any]] = {}
    for key, section in PARTS.items():
        if key == "training" and are_checkpoints(configuration, axes["model"], given, where):
            axes[key] = [UNTRAINED]
            continue
        entries = list(getattr(configuration.experiment, section))
        if key not in given and len(entries) > 1:
            raise ConfigError(f"{where}: `{key}` is missing, and there is a choice: {', '.join(entries)}")
        if key not in given and not entries:
            raise ConfigError(f"{where}: `{key}` is missing, and {section} has no entry; add one")
        axes[key] = given.pop(key, entries)
    seeds = given.pop("seed", [1])
    axes |= given
    axes["seed"] = seeds
    for key, values in axes.items():
        if not values:
            raise ConfigError(f"{where}.{key}: an empty list")
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ConfigError(f"{where}.seed: found {seed!r}, expected whole numbers from 0: [1, 2, 3]")
    return axes


def are_checkpoints(
    configuration: Configuration, models: list[Any], given: dict[str, list[Any]], where: str
) -> bool:
    """Say whether the models of a block are checkpoints of others.

    Args:
        configuration: that has the entries.
        models: of the block.
        given: the other keys of the block → values.
        where: the block.

    Raises:
        ConfigError: some are and others not, or the block is one for trainings.
    """
    named = {str(name): configuration.entry("models", str(name)).huggingface for name in models}
    checkpoint = next((name for name, folder in named.items() if folder is not None), None)
    if checkpoint is None:
        return False
    if trained := [name for name, folder in named.items() if folder is None]:
        raise ConfigError(
            f"{where}.model: {checkpoint} is a checkpoint, which is not trained, but {trained[0]} is; give "
            f"each a block of its own, that of {checkpoint} without `training`"
        )
    if key := next((key for key in given if key.split(".")[0] == "training"), None):
        raise ConfigError(
            f"{where}.{key}: model {checkpoint} is a checkpoint, which is not trained; leave it out"
        )
    if len(given.get("seed", [1])) > 1:
        raise ConfigError(
            f"{where}.seed: model {checkpoint} is a checkpoint, of which there is one; leave it out"
        )
    return True


def unknown_axis(key: str) -> str:
    """Return what to say about a key that no block of a grid may have."""
    known = [*PARTS, "seed", "zip", "exclude", *(f"{name}.<key>" for name in PARTS)]
    if not closest(key, known, cutoff=0.8):
        for place in places_of(key):
            for name, section in PARTS.items():
                if place.startswith(f"{section}.NAME."):
                    return f"unknown key {key!r}; did you mean {place.replace(f'{section}.NAME', name)!r}?"
    return unknown_key(key, known)


def make_cell(configuration: Configuration, point: dict[str, Any], where: str) -> Cell:
    """Return the cell of one point of a block, after checking that its choices go together."""
    choices = {}
    for key in PARTS:
        overrides = {
            path.split(".", 1)[1]: value for path, value in point.items() if path.startswith(f"{key}.")
        }
        if key == "training" and point[key] == UNTRAINED and choices["model"].value.huggingface is not None:
            choices[key] = Choice(UNTRAINED, {}, Untrained())
        else:
            choices[key] = chosen_in(where, configuration, key, point[key], overrides)
    tokenizer = choices["tokenizer"].value
    trained = isinstance(tokenizer, CharTokenizer | BpeTokenizer | IdsTokenizer)
    train_on = getattr(tokenizer, "train_on", None)
    learned_from = choose(configuration, "corpora", train_on, {}) if train_on else choices["corpus"]
    cell = Cell(**choices, seed=point["seed"], tokenizer_corpus=learned_from if trained else None)
    try:
        check_cell(cell, configuration.experiment.evaluation)
    except ValueError as error:
        raise ConfigError(f"{where}: cell {cell.name}: {error}") from None
    parent_of(configuration, cell)
    return cell


def chosen_in(
    where: str, configuration: Configuration, key: str, name: Any, overrides: dict[str, Any]
) -> Choice:
    """Return what a block chooses for a part of a cell.

    Raises:
        ConfigError: there is no such entry, or its overrides, which the message names, cannot be used.
    """
    section = PARTS[key]
    try:
        return choose(configuration, section, name, overrides)
    except ConfigError as error:
        if not overrides:
            raise
        # The entry itself was checked before.
        found = str(error).replace(f"{configuration.origin_of(section, str(name))}: ", "")
        raise ConfigError(f"{where}: {', '.join(f'{key}.{path}' for path in overrides)}: {found}") from None


def choose(configuration: Configuration, section: str, name: Any, overrides: dict[str, Any]) -> Choice:
    """Return an entry of a section with overrides."""
    value = configuration.entry(section, str(name), overrides)
    return Choice(str(name), overrides, value, tuple(repeated_keys(configuration, section, name, overrides)))


def repeated_keys(
    configuration: Configuration, section: str, name: Any, overrides: dict[str, Any]
) -> Iterator[str]:
    """Yield the overridden keys whose value an entry has without them, too."""
    whole = configuration.entry(section, str(name), overrides)
    for key in overrides:
        rest = {path: value for path, value in overrides.items() if path != key}
        try:
            without = configuration.entry(section, str(name), rest)
        except ConfigError:
            continue  # such as an entry that is none without a key
        if without == whole:
            yield key


def check_cell(cell: Cell, evaluation: Evaluation) -> None:
    """Check what depends on two parts of a cell at once."""
    training, model = cell.training.value, cell.model.value
    if evaluation.stride is not None and evaluation.stride > model.context:
        raise ValueError(f"evaluation.stride {evaluation.stride} is longer than context {model.context}")
    brings_ids = isinstance(cell.corpus.value, RandomCorpus | ShardsCorpus)
    if cell.imported:
        check_checkpoint(cell)
    else:
        check_training(cell, brings_ids)
    of_training = getattr(training, "eval_bytes", None)
    for key, part in (("evaluation.bytes", evaluation.bytes), ("training.eval_bytes", of_training)):
        if brings_ids and part is not None:
            raise ValueError(
                f"{key} is {part}, but corpus {cell.corpus.label} brings bare ids, which have no bytes; "
                f"leave {key} out, or give this corpus an experiment of its own"
            )
    if brings_ids and evaluation.tasks:
        raise ValueError(
            f"evaluation.tasks are texts, but corpus {cell.corpus.label} brings bare ids, which no text "
            "becomes; leave tasks out, or give this corpus an experiment of its own"
        )
    if brings_ids != isinstance(cell.tokenizer.value, IdsTokenizer):
        corpus, tokenizer = cell.corpus.label, cell.tokenizer.label
        raise ValueError(
            f"corpus {corpus} brings token ids and needs a tokenizer of kind ids, not {tokenizer}"
            if brings_ids
            else f"tokenizer {tokenizer} (kind ids) is for corpora that bring token ids, and {corpus} is text"
        )


def check_checkpoint(cell: Cell) -> None:
    """Check what a checkpoint of others asks of its cell."""
    folder = cell.model.value.huggingface
    if not isinstance(cell.training.value, Untrained):
        raise ValueError("`huggingface` cannot vary in the grid; give each checkpoint an entry in `models`")
    if not isinstance(cell.tokenizer.value, HuggingFaceTokenizer):
        raise ValueError(
            f"model {cell.model.label} reads the ids of its own tokenizer alone; give it "
            f"{{kind: huggingface, file: {folder}/tokenizer.json}}, not {cell.tokenizer.label}"
        )


def check_training(cell: Cell, brings_ids: bool) -> None:
    """Check what depends on a training and another part of a cell."""
    training, model = cell.training.value, cell.model.value
    if training.batch_tokens != "auto" and training.batch_tokens % model.context:
        below = training.batch_tokens // model.context * model.context
        near = [str(number) for number in (below, below + model.context) if number]
        raise ValueError(
            f"batch_tokens {training.batch_tokens} is not a multiple of context {model.context}; "
            f"the nearest that are: {', '.join(near)}"
        )
    if training.stride is not None and training.stride > model.context:
        raise ValueError(f"training stride {training.stride} is longer than context {model.context}")
    endless = brings_ids and getattr(cell.corpus.value, "eot", None) is None
    if endless and training.windows == "document":
        raise ValueError("`windows: document` needs end-of-text tokens, which a corpus of bare ids has not")
    if endless and model.document_mask:
        raise ValueError("`document_mask` needs end-of-text tokens, which a corpus of bare ids has not")


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
    path = ("training", cell.training.name, "continues")
    where = f"{configuration.origin_of(*path)}: {'.'.join(path)}"
    shared = {key: value for key, value in cell.training.overrides.items() if key not in BUDGETS}
    parent = replace(cell, training=choose(configuration, "training", name, shared))
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
