"""Reading configuration files: YAML, inheritance, overrides, and errors that a person understands.

What may stand in a file is defined in `config.py`; how a grid is expanded, in `grid.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from gptgrid.artifact.errors import UserError
from gptgrid.config.corpora import (
    BuiltinCorpus,
    FilesCorpus,
    HubCorpus,
    RandomCorpus,
    Remote,
    ShardsCorpus,
    UrlCorpus,
)
from gptgrid.config.experiment import Decoding, Experiment
from gptgrid.config.models import Model
from gptgrid.config.tokenizers import (
    BpeTokenizer,
    BytesTokenizer,
    CharTokenizer,
    HuggingFaceTokenizer,
    IdsTokenizer,
    TiktokenTokenizer,
)
from gptgrid.config.training import Training
from gptgrid.config.values import BUDGETS, Section

NAME = re.compile(r"[A-Za-z0-9_-]+")

VARIANTS: dict[str, dict[str, type[Section]]] = {
    "corpora": {
        "builtin": BuiltinCorpus,
        "url": UrlCorpus,
        "hub": HubCorpus,
        "files": FilesCorpus,
        "random": RandomCorpus,
        "shards": ShardsCorpus,
    },
    "tokenizers": {
        "bytes": BytesTokenizer,
        "char": CharTokenizer,
        "bpe": BpeTokenizer,
        "tiktoken": TiktokenTokenizer,
        "huggingface": HuggingFaceTokenizer,
        "ids": IdsTokenizer,
    },
}
"""Section → the value of its discriminating key → class."""

SYNONYMS = {
    "block_size": "context",
    "max_seq_len": "context",
    "context_length": "context",
    "max_position_embeddings": "context",
    "n_ctx": "context",
    "seq_len": "context",
    "n_embd": "d_model",
    "emb_dim": "d_model",
    "hidden_size": "d_model",
    "dim": "d_model",
    "n_layers": "n_layer",
    "num_hidden_layers": "n_layer",
    "n_heads": "n_head",
    "num_attention_heads": "n_head",
    "n_kv_heads": "n_kv_head",
    "num_key_value_heads": "n_kv_head",
    "intermediate_size": "d_ff",
    "drop_rate": "dropout",
    "qkv_bias": "bias",
    "max_iters": "steps",
    "max_steps": "steps",
    "num_steps": "steps",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "learning_rate": "lr",
    "batch_size": "batch_tokens",
    "warmup_iters": "warmup",
    "warmup_steps": "warmup",
    "eval_interval": "eval_every",
    "dtype": "precision",
    "max_grad_norm": "grad_clip",
    "gradient_accumulation_steps": "micro_batch",
    "lr_scheduler_type": "schedule",
}
"""What other projects call our keys (nanoGPT, LLMs-from-scratch, llama, transformers)."""


class ConfigError(UserError):
    """A configuration that cannot be used. The message names the file and the key."""


class Loader(yaml.SafeLoader):
    """YAML as people mean it: `1e-3` is a number, and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+"),
    list("-+.0123456789"),
)


class Configuration:
    """A checked configuration: the experiment, and its entries with `base` and overrides resolved."""

    def __init__(self, data: dict[str, Any], origin: str) -> None:
        """Check a configuration.

        Args:
            data: what the file says.
            origin: where it was read, for error messages.

        Raises:
            ConfigError: anything in it that cannot be used.
        """
        self.origin = origin
        self.resolved: dict[str, Section] = {}
        with self.errors_name():
            self.experiment = Experiment.model_validate(data)
        for section in Experiment.sections:
            for name in getattr(self.experiment, section):
                if not NAME.fullmatch(str(name)):
                    raise ConfigError(f"{origin}: {section}.{name}: a name is made of A-Z a-z 0-9 _ and -")
                self.entry(section, name)

    def entry(self, section: str, name: str, overrides: dict[str, Any] | None = None) -> Any:
        """Return an entry of a section with its base, defaults and the grid's overrides filled in.

        Args:
            section: `corpora`, `tokenizers`, `models` or `training`.
            name: the entry's name.
            overrides: dotted key → value.
        """
        key = f"{section}.{name}{sorted((overrides or {}).items())!r}"
        if key not in self.resolved:
            raw = self.inherited(section, name, ())
            for path, value in (overrides or {}).items():
                raw = merge(raw, nested(path, value), section)
            if section == "corpora" and raw.get("source") == "builtin":
                raw = {"name": name, **raw}
            with self.errors_name(section, name):
                self.resolved[key] = Experiment.sections[section].validate_python(raw)
        return self.resolved[key]

    def inherited(self, section: str, name: str, heirs: tuple[str, ...]) -> dict[str, Any]:
        """Return an entry as written, on top of the entry that its `base` names."""
        entries = getattr(self.experiment, section)
        if name not in entries:
            asked = f"{section}.{heirs[-1]}.base" if heirs else section
            raise ConfigError(f"{self.origin}: {asked}: {unknown(name, entries)}")
        if name in heirs:
            raise ConfigError(
                f"{self.origin}: {section}: `base` goes in a circle: {' → '.join((*heirs, name))}"
            )
        entry = entries[name]
        if not isinstance(entry, dict):
            raise ConfigError(f"{self.origin}: {section}.{name}: expected keys, found {entry!r}")
        own = {key: value for key, value in entry.items() if key != "base"}
        if "base" not in entry:
            return own
        return merge(self.inherited(section, entry["base"], (*heirs, name)), own, section)

    @contextmanager
    def errors_name(self, *prefix: str) -> Iterator[None]:
        """Turn a failed check inside into a ConfigError that names the file and the key."""
        try:
            yield
        except ValidationError as failure:
            lines = [f"{self.origin}: {describe(prefix, finding)}" for finding in failure.errors()]
            raise ConfigError("\n".join(lines)) from None


def describe(prefix: tuple[str, ...], finding: Any) -> str:
    """Return `key: what was found, what was expected` for one of pydantic's findings."""
    steps = [str(step) for step in finding["loc"] if not str(step).startswith("function-")]
    if prefix and steps and steps[0] in VARIANTS.get(prefix[0], {}):
        steps = steps[1:]  # pydantic names the variant of a union; the user did not write it
    where = ".".join([*prefix, *steps])
    match finding["type"]:
        case "extra_forbidden":
            parent = ".".join([*prefix, *steps[:-1]]) or "the file"
            return f"{parent}: {unknown(steps[-1], known_keys(prefix, finding), 'key')}"
        case "union_tag_not_found":
            key = finding["ctx"]["discriminator"].strip("'")
            return f"{where}: the key `{key}` is missing; known: {', '.join(VARIANTS[prefix[0]])}"
        case "union_tag_invalid":
            key = finding["ctx"]["discriminator"].strip("'")
            return f"{where}.{key}: {unknown(finding['ctx']['tag'], VARIANTS[prefix[0]], key)}"
        case "missing":
            return f"{where}: this key is missing"
        case "value_error":
            return f"{where}: {finding['ctx']['error']}"
    message = finding["msg"][0].lower() + finding["msg"][1:]
    return f"{where}: found {finding['input']!r}; {message}"


def known_keys(prefix: tuple[str, ...], finding: Any) -> list[str]:
    """Return the keys that are valid where an unknown one was found."""
    steps = [str(step) for step in finding["loc"][:-1]]
    if not prefix:
        current: Any = Experiment
    elif prefix[0] in ("models", "training"):
        current = Model if prefix[0] == "models" else Training
    else:
        current = VARIANTS[prefix[0]][steps.pop(0)]
    for step in steps:
        field = current.model_fields.get(step) if hasattr(current, "model_fields") else None
        if field is None:
            break
        current = next(
            (
                t
                for t in (field.annotation, Remote if prefix[:1] == ("corpora",) else Decoding)
                if hasattr(t, "model_fields")
            ),
            current,
        )
    return list(current.model_fields)


def unknown(name: Any, known: Any, what: str = "name") -> str:
    """Return what to say about a name that is not defined, with the nearest that is."""
    known = [str(key) for key in known]
    nearest = SYNONYMS.get(str(name))
    if nearest not in known:
        nearest = next(iter(difflib.get_close_matches(str(name), known, n=1)), None)
    hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"


def merge(old: dict[str, Any], new: dict[str, Any], section: str = "") -> dict[str, Any]:
    """Return `old` changed by `new`, key by key through nested mappings; lists are replaced.

    A new budget of a training replaces the old one whatever its unit.
    """
    if section == "training" and any(key in new for key in BUDGETS):
        old = {key: value for key, value in old.items() if key not in BUDGETS}
    both = dict(old)
    for key, value in new.items():
        deeper = isinstance(value, dict) and isinstance(old.get(key), dict)
        both[key] = merge(old[key], value) if deeper else value
    return both


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return `{"a": {"b": value}}` for the dotted path `a.b`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def load(paths: list[Path], settings: dict[str, Any] | None = None) -> Configuration:
    """Read configuration files, later ones over earlier ones, and the settings of the command line.

    Args:
        paths: YAML files.
        settings: `quick: true` applies the file's `quick` section and adds `-quick` to the experiment; any
            other key is merged over the files.

    Raises:
        ConfigError: a file is missing or is not YAML, or anything in it cannot be used.
    """
    origin = " + ".join(map(str, paths))
    data: dict[str, Any] = {}
    for path in paths:
        data = merge(data, read_yaml(path))
    settings = dict(settings or {})
    if settings.pop("quick", False):
        data = merge(data, data.get("quick") or {})
        data["experiment"] = f"{data.get('experiment', 'default')}-quick"
    return Configuration(merge(data, settings), origin)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file (looked in {Path.cwd()})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping with the keys {', '.join(Experiment.model_fields)}")
    return data
