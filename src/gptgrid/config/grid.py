"""From the `grid` of a configuration to its cells: which text, tokenizer, model, training and seed.

Where their files lie and what must run is the business of the plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gptgrid.config.cell import FINETUNING, PARTS, Cell, Choice, Finetuned
from gptgrid.config.check import check_cell, check_finetuned
from gptgrid.config.errors import ConfigError
from gptgrid.config.parse import read_scalar
from gptgrid.config.read import Configuration
from gptgrid.config.suggest import closest, places_of, unknown, unknown_key
from gptgrid.config.tokenizers import BpeTokenizer, CharTokenizer, IdsTokenizer
from gptgrid.config.training import Untrained
from gptgrid.config.values import BUDGETS, read_count

SECTIONS = {**PARTS, FINETUNING: FINETUNING}
UNTRAINED = "none"
"""What the training of a checkpoint of others is called."""


def cells_of(configuration: Configuration) -> list[Cell]:
    """Return the cells of the grid, in order, each once, with what is fine-tuned from them.

    Raises:
        ConfigError: a block names what is not defined, or a cell's parts do not go together.
    """
    cells: dict[str, Cell] = {}
    finetuned: dict[str, dict[str, Finetuned]] = {}
    """Name of a cell → name → what is fine-tuned from it."""
    labels: dict[str, Choice] = {}
    values: dict[tuple[str, ...], Choice] = {}
    origin = configuration.origin_of("grid")
    for number, block in enumerate(configuration.experiment.grid):
        where = f"{origin}: grid[{number}]"
        for point in expand(configuration, block, where):
            cell = make_cell(configuration, point, where)
            choices = cell.choices
            if FINETUNING in point:
                made = make_finetuned(configuration, cell, point, where)
                choices[FINETUNING] = made.finetuning
            if cell.imported:  # it is the same for every seed
                cell = replace(cell, seed=first_seed(block))
            if FINETUNING in point:
                finetuned.setdefault(cell.name, {}).setdefault(made.name, made)
            for key, choice in choices.items():
                first = labels.setdefault(f"{key} {choice.label}", choice)
                check_label(key, first, choice, where)
                if first is choice:
                    check_value(key, values.setdefault((key, *choice.meaning), choice), choice, where)
            cells.setdefault(cell.name, cell)
    if not cells:
        raise ConfigError(f"{origin}: grid: it has no cell; `exclude` leaves nothing over")
    return [
        replace(cell, finetuned=tuple(finetuned[name].values())) if name in finetuned else cell
        for name, cell in cells.items()
    ]


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
    return [left for point in points if (left := left_by(patterns, point))]


def left_by(patterns: list[dict[str, list[Any]]], point: dict[str, Any]) -> dict[str, Any] | None:
    """Return what patterns leave of a point: nothing, or, where they mean its fine-tuning, its cell."""
    found = [pattern for pattern in patterns if matches(point, pattern)]
    if any(not any(map(is_of_finetuning, pattern)) for pattern in found):
        return None
    return {key: value for key, value in point.items() if not (found and is_of_finetuning(key))}


def is_of_finetuning(key: str) -> bool:
    """Say whether a key of a block is about fine-tuning."""
    return key.split(".")[0] == FINETUNING


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
        if key != "seed" and key.split(".")[0] not in SECTIONS:
            raise ConfigError(f"{where}: {unknown_axis(key)}")
    axes: dict[str, list[Any]] = {}
    for key, section in PARTS.items():
        if key == "training" and are_checkpoints(configuration, axes["model"], given, where):
            axes[key] = [None]
            continue
        entries = list(getattr(configuration.experiment, section))
        if key not in given and len(entries) > 1:
            raise ConfigError(f"{where}: `{key}` is missing, and there is a choice: {', '.join(entries)}")
        if key not in given and not entries:
            raise ConfigError(f"{where}: `{key}` is missing, and {section} has no entry; add one")
        axes[key] = given.pop(key, entries)
    if varied := next((key for key in given if is_of_finetuning(key)), None):
        if FINETUNING not in given:
            raise ConfigError(f"{where}: `{FINETUNING}` is missing, of which {varied} varies a key")
        axes[FINETUNING] = given.pop(FINETUNING)
    seeds = read_count(given.pop("seed", [1]))
    axes |= given
    axes["seed"] = seeds
    for key, values in axes.items():
        if not values:
            raise ConfigError(f"{where}.{key}: an empty list")
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ConfigError(f"{where}.seed: found {seed!r}, expected whole numbers from 0: [1, 2, 3]")
    return axes


def first_seed(block: dict[str, Any]) -> int:
    """Return the first seed of a block."""
    seeds = block.get("seed", 1)
    return seeds[0] if isinstance(seeds, list) else seeds


def are_checkpoints(
    configuration: Configuration, models: list[Any], given: dict[str, list[Any]], where: str
) -> bool:
    """Say whether the models of a block are checkpoints of others that it does not train.

    Args:
        configuration: that has the entries.
        models: of the block.
        given: the other keys of the block → values.
        where: the block.

    Raises:
        ConfigError: some are and others not, or there are several of what there is one.
    """
    named = {str(name): configuration.entry("models", str(name)).huggingface for name in models}
    checkpoint = next((name for name, folder in named.items() if folder is not None), None)
    if checkpoint is None or any(key.split(".")[0] == "training" for key in given):
        return False
    if fresh := [name for name, folder in named.items() if folder is None]:
        raise ConfigError(
            f"{where}.model: {checkpoint} is a checkpoint, which is scored as it is where `training` is "
            f"missing, but {fresh[0]} must be trained; give each a block of its own, or name a `training` "
            "that starts from the one and trains the other"
        )
    if len(given.get("seed", [1])) > 1 and FINETUNING not in given:
        raise ConfigError(
            f"{where}.seed: model {checkpoint} is a checkpoint, of which there is one; leave it out, or name "
            "a `training` or `finetuning` for it"
        )
    return True


def unknown_axis(key: str) -> str:
    """Return what to say about a key that no block of a grid may have."""
    known = [*SECTIONS, "seed", "zip", "exclude", *(f"{name}.<key>" for name in SECTIONS)]
    if not closest(key, known, cutoff=0.8):
        for place in places_of(key):
            for name, section in SECTIONS.items():
                if place.startswith(f"{section}.NAME."):
                    return f"unknown key {key!r}; did you mean {place.replace(f'{section}.NAME', name)!r}?"
    return unknown_key(key, known)


def make_cell(configuration: Configuration, point: dict[str, Any], where: str) -> Cell:
    """Return the cell of one point of a block, after checking that its choices go together."""
    choices = {}
    for key in PARTS:
        if key == "training" and point[key] is None and choices["model"].value.huggingface is not None:
            choices[key] = Choice(UNTRAINED, {}, Untrained())
        else:
            choices[key] = chosen_in(where, configuration, key, point)
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


def make_finetuned(configuration: Configuration, cell: Cell, point: dict[str, Any], where: str) -> Finetuned:
    """Return what a point of a block fine-tunes from its cell, after checking that the two go together."""
    made = Finetuned(chosen_in(where, configuration, FINETUNING, point), cell.seed, cell.group)
    try:
        check_finetuned(cell, made.finetuning.value, configuration.experiment)
    except ValueError as error:
        raise ConfigError(f"{where}: cell {made.name}: {error}") from None
    return made


def chosen_in(where: str, configuration: Configuration, key: str, point: dict[str, Any]) -> Choice:
    """Return what a point of a block chooses for a part of a cell, or for its fine-tuning.

    Raises:
        ConfigError: there is no such entry, or its overrides, which the message names, cannot be used.
    """
    section, name = SECTIONS[key], point[key]
    overrides = {path.split(".", 1)[1]: value for path, value in point.items() if path.startswith(f"{key}.")}
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
