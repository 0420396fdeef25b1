"""Reading YAML 1.2, and what to say about text that is none."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from gptgrid.config.errors import ConfigError
from gptgrid.config.experiment import ConfigurationFile

QUOTE_STAR = 'text that begins with * must stand in quotes, such as "*.txt"'
ADVICE = {
    "undefined alias": QUOTE_STAR,
    "scanning an alias": QUOTE_STAR,
    "duplicate key": "keep one of the two",
    r"'\t' that cannot start": "indent with blanks, not with tabs",
    "that cannot start": "text that begins with this character must stand in quotes",
    "mapping values are not allowed": "put text with `: ` in it in quotes, or mend the indentation",
}
"""Words of a message of the parser → what to do about it."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        ConfigError: the file cannot be read, or is not YAML, or holds something else.
    """
    try:
        data = yaml().load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file (looked in {Path.cwd()})") from None
    except OSError as error:
        raise ConfigError(f"{path}: this configuration file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: not readable as YAML: {explain(error)}") from None
    if not isinstance(data, dict):
        keys = ", ".join(ConfigurationFile.model_fields)
        raise ConfigError(f"{path}: expected a mapping with the keys {keys}")
    return data


@cache
def read_scalar(text: str) -> Any:
    """Return the number, boolean or null that a text stands for in YAML; else the text itself."""
    try:
        value = yaml().load(text)
    except YAMLError:
        return text
    # YAML reads no text as null, but on a command line it is what remains of a quoted empty text.
    return value if text and isinstance(value, int | float | None) else text


class Constructor(SafeConstructor):
    """Makes the values. The two zeros of a float are equal but look different in names: it makes one."""

    def construct_yaml_float(self, node: Any) -> float:
        return super().construct_yaml_float(node) + 0.0  # -0.0 + 0.0 is 0.0


Constructor.add_constructor("tag:yaml.org,2002:float", Constructor.construct_yaml_float)


def yaml() -> YAML:
    """Return a parser. The pure one: the parser in C is of YAML 1.1, where 1e-3 is text and `no` is false."""
    parser = YAML(typ="safe", pure=True)
    parser.Constructor = Constructor
    return parser


def explain(error: YAMLError) -> str:
    """Return in a line what the parser found, where, and what to do about it."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    line, column = error.problem_mark.line + 1, error.problem_mark.column + 1
    text = ", ".join(filter(None, (error.context, error.problem)))
    advice = next((advice for words, advice in ADVICE.items() if words in text), None)
    return f"line {line}, column {column}: {text}" + (f"; {advice}" if advice else "")
