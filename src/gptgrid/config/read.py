"""Reading configuration files: inheritance, overrides, the settings of the command line.

What may stand in a file is defined in the modules of its sections; how a grid is expanded, in `grid.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gptgrid.config.errors import ConfigError, described, shown
from gptgrid.config.experiment import ConfigurationFile
from gptgrid.config.merge import merge, nested
from gptgrid.config.parse import read_scalar, read_yaml
from gptgrid.config.suggest import unknown
from gptgrid.config.values import BUDGETS, IN_WORDS, NAME, Section

COMMAND_LINE = "--config"
"""What errors name in place of a file where a setting of the command line is at fault."""


class Configuration:
    """A checked configuration: the experiment, and its entries with `base` and overrides resolved."""

    def __init__(
        self,
        data: dict[str, Any],
        origin: str,
        settings: dict[str, Any] | None = None,
        cautions: Iterable[str] = (),
    ) -> None:
        """Check a configuration.

        Args:
            data: what the file says, with the settings merged over it.
            origin: where it was read, for error messages.
            settings: what of it the command line said.
            cautions: what to say to a person of how it was put together.

        Raises:
            ConfigError: anything in it that cannot be used.
        """
        self.origin = origin
        self.settings = settings or {}
        self.cautions = list(cautions)
        self.resolved: dict[str, Section] = {}
        for path in unwritable(data):
            raise self.error(path, "found half a surrogate pair, which no UTF-8 text can hold; leave it out")
        with self.errors_name():
            self.experiment = ConfigurationFile.model_validate(data)
        for section in ConfigurationFile.sections:
            names = list(getattr(self.experiment, section))
            for name in names:
                if not re.fullmatch(NAME, name) or name.endswith("\n"):
                    nearest = re.sub("[^A-Za-z0-9_-]+", "-", name).strip("-")
                    hint = f"; did you mean {nearest!r}?" if nearest else ""
                    raise self.error([section], f"found {name!r}, expected {IN_WORDS[NAME]}{hint}")
            # A mistake in a base is reported there, not at the first entry that starts from it.
            for name in sorted(names, key=lambda name: len(self.lineage(section, name))):
                self.entry(section, name)

    def entry(self, section: str, name: str, overrides: dict[str, Any] | None = None) -> Any:
        """Return an entry of a section with its base, defaults and the grid's overrides filled in.

        Args:
            section: `corpora`, `tokenizers`, `models`, `training`, `dialogues` or `finetuning`.
            name: the entry's name.
            overrides: dotted key → value.
        """
        key = f"{section}.{name}{sorted((overrides or {}).items())!r}"
        if key not in self.resolved:
            raw: dict[str, Any] = {}
            for ancestor in reversed(self.lineage(section, name)):
                raw = merge(raw, getattr(self.experiment, section)[ancestor], (section, name))
            raw.pop("base", None)
            if len(budgets := [path for path in overrides or {} if path in BUDGETS]) > 1:
                raise self.error(
                    [section, name], f"{' and '.join(budgets)} cannot vary both: a budget is one of them"
                )
            for path, value in (overrides or {}).items():
                raw = merge(raw, nested(path, value), (section, name))
            if section == "corpora" and raw.get("source") == "builtin":
                raw = {"name": name, **raw}
            with self.errors_name(section, name):
                self.resolved[key] = ConfigurationFile.sections[section].validate_python(raw)
        return self.resolved[key]

    def lineage(self, section: str, name: str) -> list[str]:
        """Return an entry's name, that of its `base`, that of the base's base, and so on."""
        entries = getattr(self.experiment, section)
        names: list[str] = []
        while True:
            if name in names:
                raise self.error([section], f"`base` goes in a circle: {' → '.join((*names, name))}")
            if name not in entries:
                place = [section, names[-1], "base"] if names else [section]
                raise self.error(place, unknown(name, entries))
            if not isinstance(entries[name], dict):
                raise self.error([section, name], f"expected keys, found {shown(entries[name])}")
            names.append(name)
            if "base" not in entries[name]:
                return names
            name = str(entries[name]["base"])

    def origin_of(self, *path: str) -> str:
        """Return where the key at a path was given: on the command line, or in the file."""
        place: Any = self.settings
        for key in path:
            if isinstance(place, list):  # replaced as a whole
                break
            if not isinstance(place, dict) or key not in place:
                return self.origin
            place = place[key]
        return COMMAND_LINE if path else self.origin

    def error(self, path: list[str], message: str) -> ConfigError:
        """Return an error about the key at a path."""
        return ConfigError(f"{self.origin_of(*path)}: {'.'.join(path)}: {message}")

    @contextmanager
    def errors_name(self, *prefix: str) -> Iterator[None]:
        """Turn a failed check inside into a ConfigError that names the file and the key."""
        try:
            yield
        except ValidationError as failure:
            found = described(prefix, failure.errors())
            lines = [f"{self.origin_of(*path)}: {said}" for path, said in found]
            raise ConfigError("\n".join(lines)) from None


def unwritable(data: Any, path: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Yield the paths of texts that cannot be written as UTF-8: YAML has escapes for what is no character."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from unwritable(key, path)
            yield from unwritable(value, (*path, str(key)))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from unwritable(value, (*path, str(place)))
    elif isinstance(data, str) and not data.isascii():
        try:
            data.encode()
        except UnicodeEncodeError:
            yield list(path)


def load(paths: list[Path], settings: dict[str, Any] | None = None) -> Configuration:
    """Read configuration files, later ones over earlier ones, and the settings of the command line.

    Args:
        paths: YAML files.
        settings: `quick: true` changes what each file says by its own section `quick`, and adds `-quick` to
            the experiment; any other key, which may be dotted (`models.gpt.n_layer`), is merged over the
            files, a later one over an earlier one. Values may be text, as Snakemake gives them: it is read as
            in a file.

    Raises:
        ConfigError: a file is missing or is not YAML, or anything in it or in the settings cannot be used.
    """
    origin = " + ".join(map(str, paths))
    changes: dict[str, Any] = {}
    for key, value in (settings or {}).items():
        changes = merge(changes, nested(key, read_setting(value)))
    quick = read_quick(changes.pop("quick", False))
    data: dict[str, Any] = {}
    smaller: dict[str, Any] = {}
    for path in paths:
        said = read_yaml(path)
        data = merge(data, said)
        if quick:
            section = quick_section(said, path)
            data, smaller = merge(data, section), merge(smaller, section)
    if quick and not smaller:
        raise ConfigError(
            f"{COMMAND_LINE}: quick=true: {origin} has no section `quick`, which says what to change; "
            "add one, or leave `quick=true` out"
        )
    cautions = []
    smaller.pop("grid", None)  # a later file with a grid, such as an exercise, is there for it
    if keys := ", ".join(overridden(smaller, data)):
        cautions = [f"A later file overrides {keys} of the section `quick`; give it a section `quick`, too"]
    if quick:
        data["experiment"] = f"{data.get('experiment', 'default')}-quick"
    check_entries(changes, data)
    return Configuration(merge(data, changes), origin, changes, cautions)


def overridden(said: dict[str, Any], data: dict[str, Any], place: str = "") -> Iterator[str]:
    """Yield the dotted keys that have other values in `data` than was said, or none."""
    for key, value in said.items():
        if isinstance(value, dict) and isinstance(data.get(key), dict):
            yield from overridden(value, data[key], f"{place}{key}.")
        elif data.get(key) != value:
            yield f"{place}{key}"


def read_setting(value: Any) -> Any:
    """Return a setting with the numbers, booleans and nulls in it that are given as text."""
    if isinstance(value, dict):
        return {key: read_setting(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [read_setting(inner) for inner in value]
    return read_scalar(value) if isinstance(value, str) else value


def read_quick(value: Any) -> bool:
    """Return whether the setting `quick` is on; anything but true and false is refused."""
    if not isinstance(value, bool):
        given = "nothing" if value in (None, "") else repr(value)
        raise ConfigError(f"{COMMAND_LINE}: quick: found {given}, expected true or false; say `quick=true`")
    return value


def quick_section(said: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the section `quick` of a file, of which keys may be dotted; nothing if it has none."""
    quick = said.get("quick") or {}
    if not isinstance(quick, dict):
        raise ConfigError(f"{path}: quick: expected keys, found {quick!r}")
    section: dict[str, Any] = {}
    for key, value in quick.items():
        section = merge(section, nested(key, value) if isinstance(key, str) else {key: value})
    return section


def check_entries(changes: dict[str, Any], data: dict[str, Any]) -> None:
    """Refuse settings for entries that no file has: a misspelt name would be an entry that nothing uses."""
    for section in ConfigurationFile.sections:
        entries, changed = data.get(section), changes.get(section)
        if isinstance(entries, dict) and isinstance(changed, dict):
            for name in changed:
                if name not in entries:
                    raise ConfigError(f"{COMMAND_LINE}: {section}: {unknown(name, entries)}")
