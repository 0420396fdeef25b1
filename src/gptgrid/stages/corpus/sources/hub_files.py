"""Which files of a data set belong to which configuration and split.

That is read as the library `datasets` reads it: from the head of the data set's card, README.md, else from
the names of folders and files.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import ENDINGS
from gptgrid.stages.corpus.reading.records import FORMS, form_of

CARD = "README.md"


def choose(base: Path, config: SimpleNamespace) -> dict[str, list[str]]:
    """Return part → names of the data files, relative to the folder of the data set, in order."""
    splits = {split: readable(names) for split, names in files_of(base, config).items()}
    what = f"{config.path} {config.name or ''}".strip()
    forms = Counter(form_of(name) for names in splits.values() for name in names)
    if not forms:
        raise UserError(
            f"{what} has no parquet, jsonl, json, csv, tsv or txt files at {config.revision}, and no script "
            "is ever run; look for a revision or a copy with such files"
        )
    # As `datasets` does: one form, that of the most files.
    form = max(forms, key=lambda form: (forms[form], form == "parquet", form))
    chosen = {}
    for part, split in vars(config.splits).items():
        names = [name for name in splits.get(split, ()) if form_of(name) == form]
        if not names:
            there = ", ".join(split for split in splits if splits[split])
            raise UserError(
                f"{what} has no split {split!r} at {config.revision}; it has {there}; set `splits`"
            )
        check_shards(names, what)
        chosen[part] = names
    return chosen


def readable(names: list[str]) -> list[str]:
    """Return those that end like data files."""
    return [name for name in names if PurePosixPath(ENDINGS.sub("", name)).suffix.lower() in (*FORMS, ".txt")]


def files_of(base: Path, config: SimpleNamespace) -> dict[str, list[str]]:
    """Return the hub's splits → names of files, of the chosen configuration."""
    from datasets.data_files import resolve_pattern

    folder, patterns = patterns_of(base, config)
    found: dict[str, list[str]] = {}
    for split, own in patterns.items():
        paths: dict[str, None] = {}
        for pattern in own:
            check_inside(pattern, config.path)
            try:
                paths |= dict.fromkeys(sorted(resolve_pattern(pattern, str(folder))))
            except FileNotFoundError:
                continue
        found[str(split)] = [Path(path).relative_to(base).as_posix() for path in paths]
    return found


def patterns_of(base: Path, config: SimpleNamespace) -> tuple[Path, dict[str, list[str]]]:
    """Return the folder of a configuration, and split → patterns of file names in it."""
    from datasets.data_files import EmptyDatasetError, get_data_patterns, sanitize_patterns

    configs, default = card_configs(base / CARD, config.path)
    folder, own = base, {}
    if configs:
        name = config.name or default
        if name not in configs:
            raise UserError(
                f"{config.path} has the configurations {', '.join(configs)}; set `name` to one of them"
            )
        own = configs[name]
        inner = str(own.get("data_dir") or "")
        check_inside(inner, config.path)
        folder = base / inner
    elif config.name:
        folder = base / config.name
        if not folder.is_dir():
            there = sorted(path.name for path in base.iterdir() if path.is_dir() and path.name[0] != ".")
            raise UserError(
                f"{config.path} has no configuration {config.name!r}; its folders: {', '.join(there)}"
            )
    if own.get("data_files"):
        return folder, sanitize_patterns(own["data_files"])
    try:
        return folder, get_data_patterns(str(folder))
    except EmptyDatasetError:
        return folder, {}


def card_configs(path: Path, name: str) -> tuple[dict[str, dict[str, Any]], str | None]:
    """Return the configurations that a card lists, name → keys, and which of them is the default."""
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    if not path.is_file():
        return {}, None
    try:
        card = DatasetCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True)
        configs = MetadataConfigs.from_dataset_card_data(card.data)
        return configs, configs.get_default_config_name()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"the card of {name} cannot be read ({error}); choose another revision") from None


def check_inside(pattern: str, name: str) -> None:
    """Refuse what a card names outside of the data set: addresses, other folders of this machine."""
    if ":" in pattern or pattern.startswith("/") or ".." in pattern.split("/"):
        raise UserError(f"the card of {name} names {pattern}, which is outside of the data set; mistrust it")


def check_shards(names: list[str], what: str) -> None:
    """Refuse a split of which a part is missing, as in an unfinished mirror."""
    found = defaultdict(set)
    for name in names:
        if match := re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})(.*)", name):
            found[match[1], match[3], match[4]].add(int(match[2]))
    for (stem, count, ending), there in found.items():
        if missing := sorted(set(range(int(count))) - there):
            raise UserError(f"{what} lacks {stem}-{missing[0]:05}-of-{count}{ending}; complete the mirror")
