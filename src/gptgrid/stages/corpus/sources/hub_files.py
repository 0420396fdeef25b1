"""Which files of a data set belong to which configuration and split.

Decided as the library `datasets` does: by the head of the data set's card, README.md, or else by the names of
folders and files.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import ENDINGS
from gptgrid.stages.corpus.reading.records import FORMATS, format_of

CARD = "README.md"
LEGACY = "dataset_infos.json"
"""A file of old data sets that is no data."""


def choose_files(names: Collection[str], card: str | None, config: SimpleNamespace) -> dict[str, list[str]]:
    """Return part → names of the data files, in order.

    Args:
        names: of all files of the data set.
        card: the text of the data set's card, if it has one.
        config: `path`, `name`, `revision` and `splits`.

    Raises:
        UserError: there is no such configuration or split, or its files are of other kinds.
    """
    data = sorted(name for name in names if is_data(name))
    splits = splits_of(data, card, config)
    title = f"{config.path} {config.name or ''}".strip()
    formats = Counter(format_of(name) for files in splits.values() for name in files)
    if not formats:
        raise UserError(
            f"{title} has no parquet, jsonl, json, csv, tsv or txt files at {config.revision}, and no script "
            "is ever run; look for a revision or a copy with such files"
        )
    # As `datasets` does: one format, that of the most files.
    most = max(formats, key=lambda name: (formats[name], name == "parquet", name))
    chosen = {}
    for part, split in vars(config.splits).items():
        chosen[part] = [name for name in splits.get(split, ()) if format_of(name) == most]
        if not chosen[part]:
            others = ", ".join(split for split in splits if splits[split])
            raise UserError(
                f"{title} has no split {split!r} at {config.revision}; it has {others}; set `splits`"
            )
        check_complete(chosen[part], title)
    return chosen


def is_data(name: str) -> bool:
    """Return whether a file ends like a data file."""
    return PurePosixPath(ENDINGS.sub("", name)).suffix.lower() in (*FORMATS, ".txt") and name != LEGACY


def splits_of(names: list[str], card: str | None, config: SimpleNamespace) -> dict[str, list[str]]:
    """Return the hub's splits → names of their files, of the configuration that is asked for.

    Raises:
        UserError: there is no such configuration, or the card names files outside of the data set.
    """
    entries, default = read_card(card, config.path) if card is not None else ({}, None)
    if not entries:
        return match_files(names, folder_of(names, config), None, config)
    name = config.name or default
    if name not in entries:
        raise UserError(
            f"{config.path} has the configurations {', '.join(entries)}; set `name` to one of them"
        )
    folder, patterns = entries[name]
    for pattern in [folder, *(pattern for split in (patterns or {}).values() for pattern in split)]:
        check_inside(pattern, config.path)
    if patterns is None:
        return match_files(names, folder, None, config)
    # One by one: a split whose files are not there must not hide the others.
    return {
        split: match_files(names, folder, own, config).get("train", []) for split, own in patterns.items()
    }


def folder_of(names: list[str], config: SimpleNamespace) -> str:
    """Return the folder of a configuration of a data set whose card names none: that of the same name."""
    folders = sorted({name.split("/")[0] for name in names if "/" in name and name[0] != "."})
    if config.name and config.name not in folders:
        raise UserError(
            f"{config.path} has no configuration {config.name!r}; its folders: {', '.join(folders)}"
        )
    return config.name or ""


def match_files(
    names: list[str], folder: str, patterns: list[str] | None, config: SimpleNamespace
) -> dict[str, list[str]]:
    """Return split → the names in a folder that `datasets` finds, among empty files of these names.

    With patterns, what they match is the split `train`; without, splits are known by their names.
    """
    from datasets import load_dataset_builder

    with tempfile.TemporaryDirectory() as scratch:
        base, cache = Path(scratch).resolve() / "data", Path(scratch) / "cache"
        (base / folder).mkdir(parents=True)
        for name in names:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).touch()
        try:
            builder = load_dataset_builder(str(base / folder), data_files=patterns, cache_dir=str(cache))
        except FileNotFoundError:  # as it calls an empty folder, too
            return {}
        except ValueError as error:
            raise UserError(
                f"the splits of {config.path} cannot be told apart ({error}); choose another `name` or "
                "revision"
            ) from None
        return {
            str(split): list(dict.fromkeys(Path(path).relative_to(base).as_posix() for path in paths))
            for split, paths in builder.config.data_files.items()
        }


# -------------------------------------------------------------------------------------------- card

Entry = tuple[str, dict[str, list[str]] | None]
"""Of a configuration: its folder, and split → patterns of file names in it, if the card has some."""


def read_card(card: str, path: str) -> tuple[dict[str, Entry], str | None]:
    """Return the configurations that a card lists, name → entry, and which of them is the default.

    Raises:
        UserError: they cannot be read.
    """
    from huggingface_hub import DatasetCard

    try:
        configs = DatasetCard(card, ignore_metadata_errors=True).data.get("configs") or []
        entries = {str(item["config_name"]): entry_of(item) for item in configs}
        defaults = {
            str(item["config_name"])
            for item in configs
            if item.get("default") or item["config_name"] == "default" or len(configs) == 1
        }
        if len(defaults) > 1:
            raise ValueError(f"several default configurations: {', '.join(sorted(defaults))}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"the card of {path} cannot be read ({error}); choose another revision") from None
    return entries, next(iter(defaults), None)


def read_license(card: str) -> str | None:
    """Return the licence that a card states; None if it states none that can be read."""
    from huggingface_hub import DatasetCard

    try:
        found = DatasetCard(card, ignore_metadata_errors=True).data.get("license")
    except (ValueError, TypeError, AttributeError):
        return None
    names = [str(name) for name in (found if isinstance(found, list) else [found]) if name]
    return ", ".join(names) or None


def entry_of(item: dict[str, Any]) -> Entry:
    """Return the entry of a configuration, whose `data_files` are one pattern, several, or some a split."""
    folder, files = str(item.get("data_dir") or ""), item.get("data_files")
    if not files:
        return folder, None
    if isinstance(files, list) and isinstance(files[0], dict):
        return folder, {str(split["split"]): as_list(split["path"]) for split in files}
    return folder, {"train": as_list(files)}


def as_list(patterns: str | list[str]) -> list[str]:
    """Return one pattern or several as a list."""
    return [patterns] if isinstance(patterns, str) else list(map(str, patterns))


# ------------------------------------------------------------------------------------------ checks


def check_inside(pattern: str, name: str) -> None:
    """Refuse what a card names outside of the data set: addresses, other folders of this machine."""
    if ":" in pattern or pattern.startswith("/") or ".." in pattern.split("/"):
        raise UserError(
            f"the card of {name} names {pattern}, which is outside of the data set; do not trust it"
        )


def check_complete(names: list[str], title: str) -> None:
    """Refuse a split of which a part is missing, as in an unfinished mirror."""
    numbers = defaultdict(set)
    for name in names:
        if match := re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})(.*)", name):
            numbers[match[1], match[3], match[4]].add(int(match[2]))
    for (stem, count, ending), present in numbers.items():
        if missing := sorted(set(range(int(count))) - present):
            raise UserError(
                f"{title} lacks {stem}-{missing[0]:05}-of-{count}{ending}; complete the mirror, or `sha256`"
            )
