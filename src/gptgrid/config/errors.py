"""What to say about a configuration that cannot be used: where, what was found, what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from typing import Any, get_args

from gptgrid.artifact.errors import UserError
from gptgrid.config.experiment import VARIANTS, ConfigurationFile
from gptgrid.config.finetuning import Finetuning
from gptgrid.config.models import Model
from gptgrid.config.suggest import meant, unknown, unknown_key, variants_with
from gptgrid.config.training import Training
from gptgrid.config.values import IN_WORDS, Section
from gptgrid.net.address import public

NUMBERS = "numbers have a point and no commas: 1.5e-3, 10000"
KINDS = ("function-", "section-", "list[", "literal[", "[key]", "constrained-int", "constrained-float")
"""What pydantic puts into paths for one of several types that a value may have."""
TYPES = {("bool", "bool"), ("str", "string")}
"""The same, where somebody may have written it: the last of a path, and how its findings are called."""
SENTENCES = {"extra_forbidden", "invalid_key", "missing", "value_error"}
"""What pydantic calls findings that are told in words of their own, not by what was found and expected."""
KEYS = {"dict_type", "model_type", "model_attributes_type"}
"""What pydantic calls findings where keys should stand."""


class ConfigError(UserError):
    """A configuration that cannot be used. The message names the file and the key."""


def path_of(prefix: tuple[str, ...], finding: Any) -> list[str]:
    """Return the keys that lead to one of pydantic's findings, from the top of the configuration."""
    steps = [str(step) for step in finding["loc"]]
    if prefix and steps and steps[0] in VARIANTS.get(prefix[0], {}):
        steps = steps[1:]
    if steps and (steps[-1], finding["type"].partition("_")[0]) in TYPES:
        steps.pop()
    # Like the variant of an entry, other types of values are pydantic's names, which nobody wrote.
    return [*prefix, *(step for step in steps if not step.startswith(KINDS))]


def described(prefix: tuple[str, ...], findings: Iterable[Any]) -> Iterator[tuple[list[str], str]]:
    """Yield the keys that lead to what is wrong, and what to say of it: once of a value that could be of
    several types, with all that was expected.

    Args:
        prefix: the keys that lead to what was checked.
        findings: `ValidationError.errors()`.
    """
    for path, same in groupby(findings, lambda finding: path_of(prefix, finding)):
        first, *others = same
        said = [describe(path, first)]
        for finding in others:
            if SENTENCES.isdisjoint((first["type"], finding["type"])):
                said[0] += f"; or {expectation(finding).lstrip(',; ')}"
            else:
                said.append(describe(path, finding))
        yield from ((path, sentence) for sentence in said)


def describe(path: list[str], finding: Any) -> str:
    """Return `key: what was found, what was expected` for one of pydantic's findings.

    Args:
        path: the keys that lead to it.
        finding: an item of `ValidationError.errors()`.
    """
    where = ".".join(path)
    *parents, key = path or [""]
    inside = ".".join(parents) or "top level"
    if finding["type"] == "invalid_key" or (finding["type"] == "string_type" and "[key]" in finding["loc"]):
        found = "null" if finding["input"] is None else shown(finding["input"])
        return f'{inside}: found the key {found}, expected text; put a name in quotes, "{found}"; {NUMBERS}'
    match finding["type"]:
        case "extra_forbidden":
            return f"{inside}: {unknown_key(key, known_keys(path, finding), (parents or [''])[0])}"
        case "union_tag_not_found":
            tag = finding["ctx"]["discriminator"].strip("'")
            fit = variants_with(path[0], finding["input"])
            known = f"known: {', '.join(VARIANTS[path[0]])}"
            add = f"add {' or '.join(f'`{tag}: {variant}`' for variant in fit)}"
            return f"{where}: the key `{tag}` is missing; {add if fit else known}"
        case "union_tag_invalid":
            tag = finding["ctx"]["discriminator"].strip("'")
            if finding["input"][tag] is None:
                return f"{where}.{tag}: found nothing, expected one of {', '.join(VARIANTS[path[0]])}"
            return f"{where}.{tag}: {unknown(finding['ctx']['tag'], VARIANTS[path[0]], tag)}"
        case "missing":
            return f"{where}: this key is missing"
        case "value_error":
            return f"{where}: {finding['ctx']['error']}"
    return f"{where}: found {shown(finding['input'])}{expectation(finding)}"


def expectation(finding: Any) -> str:
    """Return `, expected …` or `; …`: what one of pydantic's findings asks for, in the words of YAML."""
    kind, value = finding["type"], finding["input"]
    if kind == "list_type":
        return ", expected a list" + (
            f": [{public(json.dumps(value, ensure_ascii=False))}]" if isinstance(value, str) else ""
        )
    if kind == "tuple_type":
        return ", expected a list of numbers"
    if kind in KEYS:
        return ", expected keys, such as `key: value`"
    if kind == "string_type":
        quotes = isinstance(value, int | float | date)
        return ", expected text" + (f'; put it in quotes: "{shown(value)}"' if quotes else "")
    if kind == "string_pattern_mismatch" and (words := IN_WORDS.get(finding["ctx"]["pattern"])):
        return f", expected {words}"
    if kind == "literal_error" and (
        ours := meant(value, re.findall(r"'([^']+)'", finding["ctx"]["expected"]))
    ):
        return f"; did you mean {ours!r}?"
    message = finding["msg"][0].lower() + finding["msg"][1:]
    if kind == "int_parsing":
        return ", expected a whole number without commas, such as 20000, 20k, 2M or 1G"
    if kind == "int_from_float":
        return ", expected a whole number"
    if kind == "float_parsing":
        if re.search("[0-9],[0-9]", value):
            return f", expected a number; {NUMBERS}"
        if percent := re.fullmatch(r"\s*([0-9.]+)\s*%\s*", value):
            return f", expected a number; a share is written as a number: {float(percent[1]) / 100:g}"
        return ", expected a number"
    return f"; {message}"


def shown(value: Any) -> str:
    """Return a value as it is written in YAML; `nothing` where there is none."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else public(repr(value))


def known_keys(path: list[str], finding: Any) -> list[str]:
    """Return the keys that are valid where an unknown one was found."""
    section, steps = path[0], list(finding["loc"][:-1])
    kinds: dict[str, type[Section]] = {"models": Model, "training": Training, "finetuning": Finetuning}
    kind = kinds.get(section, ConfigurationFile)
    if section in VARIANTS:
        kind = VARIANTS[section][steps.pop(0)]
    for step in steps:
        if field := kind.model_fields.get(str(step)):
            kind = next(sections_in(field.annotation), kind)
    return list(kind.model_fields)


def sections_in(annotation: Any) -> Iterator[type[Section]]:
    """Yield the classes of sections that a type is made of: `list[Remote] | None` → Remote."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for inner in get_args(annotation):
        yield from sections_in(inner)
