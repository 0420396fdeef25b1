"""Data sets of the Hugging Face hub: their data files at one commit, and nothing that would run.

Which files belong to which configuration and split is known as `datasets` knows it (see `hubfiles`). The rows
are read by `records`: `datasets` gives the same, but takes about ten times as long, and memory or a cache on
the disk that grows with the data.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from gptgrid.artifact.errors import UserError
from gptgrid.net.download import DOWNLOADS, checksum, fetch
from gptgrid.net.http import HUB, hub_endpoint, hub_token
from gptgrid.stages.corpus.reading.containers import LIMIT, open_members
from gptgrid.stages.corpus.reading.records import form_of, read_records
from gptgrid.stages.corpus.sources.hub_files import CARD, choose


@dataclass
class HubFile:
    """One data file."""

    name: str
    """Its path in the data set."""
    path: Path
    """Where it lies here."""


@dataclass
class Hub:
    """A data set at one commit."""

    parts: dict[str, list[HubFile]]
    """`train`, `valid`, `test`, as far as they were asked for → data files in order."""
    facts: dict[str, Any]
    """For the manifest: `path`, `name`, `revision`, and of each file `part`, `name`, `sha256`, `bytes`."""


def open_hub(config: SimpleNamespace, downloads: Path = DOWNLOADS) -> Hub:
    """Find the data files of a data set, in the folder `GPTGRID_MIRROR` or on the hub, and fetch them.

    A mirror folder has them as `huggingface.co/datasets/<path>/resolve/<revision>/<file>`. Without a card
    there, the configuration `name` is the folder of that name.

    Args:
        config: `path`, `name` (None: the only one), `revision`, `splits` (part → the hub's name of the split)
            and `max_bytes` (of one file; None: any).
        downloads: where files are kept.

    Raises:
        UserError: there is no such data set, configuration or split, it needs a token, or its files are of
            other kinds.
    """
    copy = mirror_of(config)
    listed = {} if copy else listing(config)
    with given(copy) if copy else skeleton(config, listed, downloads) as base:
        chosen = choose(base, config)
    parts: dict[str, list[HubFile]] = {part: [] for part in chosen}
    records = []
    for part, names in chosen.items():
        for name in names:
            path = copy / name if copy else obtain(config, name, listed[name], downloads)
            parts[part].append(HubFile(name, path))
            records.append(
                {"part": part, "name": name, "sha256": checksum(path), "bytes": path.stat().st_size}
            )
    facts = {"path": config.path, "name": config.name, "revision": config.revision, "files": records}
    return Hub(parts, facts)


def read_rows(file: HubFile, field: str, limit: int = LIMIT, scratch: Path | None = None) -> Iterator[str]:
    """Yield the text of each row of a data file; in a text file each line is a row.

    Raises:
        UserError: the file is damaged, or a row has no such field.
    """
    for name, stream in open_members(file.path, file.name, None, limit, scratch):
        yield from read_records(stream, name, form_of(name), field, scratch=scratch)


# ------------------------------------------------------------------------------------ where files lie


def mirror_of(config: SimpleNamespace) -> Path | None:
    """Return the folder of the data set in the mirror, if it is there."""
    mirror = os.environ.get("GPTGRID_MIRROR", "")
    if not mirror or "://" in mirror:
        return None
    folder = Path(mirror).resolve() / "huggingface.co/datasets" / config.path / "resolve" / config.revision
    if not folder.is_dir():
        return None
    print(f"reading {config.path} from {folder}", flush=True)
    return folder


@contextmanager
def given(folder: Path) -> Iterator[Path]:
    """Give a folder that stays."""
    yield folder


@contextmanager
def skeleton(config: SimpleNamespace, listed: dict[str, Any], downloads: Path) -> Iterator[Path]:
    """Give a folder with the card, and with an empty file for each file of the hub's listing."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder).resolve()
        for name in listed:
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        if CARD in listed:
            (base / CARD).write_bytes(obtain(config, CARD, listed[CARD], downloads).read_bytes())
        yield base


def listing(config: SimpleNamespace) -> dict[str, Any]:
    """Return the files that the hub has at the revision: path → entry with `size`, `blob_id` and `lfs`."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.hf_api import RepoFile

    where = f"data set {config.path} of the hub"
    # Telemetry would ask the hub for more than the listing.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        api = HfApi(endpoint=hub_endpoint(), token=hub_token() or False)
        entries = list(
            api.list_repo_tree(config.path, recursive=True, revision=config.revision, repo_type="dataset")
        )
    except RepositoryNotFoundError:
        raise UserError(
            f"{where} cannot be read: it does not exist, is private, or asks for conditions; check `path`, "
            f"accept the conditions on {HUB}/datasets/{config.path}, and set HF_TOKEN to a token of yours"
        ) from None
    except RevisionNotFoundError:
        raise UserError(f"{where} has no revision {config.revision}; see its history") from None
    except Exception as error:  # of whatever HTTP library it uses; its text may contain what it sent
        raise UserError(
            f"{where} cannot be listed ({type(error).__name__}); check the network, or set GPTGRID_MIRROR "
            f"to a folder that has huggingface.co/datasets/{config.path}/resolve/{config.revision}"
        ) from None
    files = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    for name in files:
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise UserError(f"{where} has a file {name}, which leads outside; mistrust it")
    return files


def obtain(config: SimpleNamespace, name: str, entry: Any, downloads: Path) -> Path:
    """Fetch a file, pinned by the sha256 that the hub has for large files, else by its id in git."""
    url = f"{HUB}/datasets/{config.path}/resolve/{config.revision}/{quote(name)}"
    return fetch(url, entry.lfs.sha256 if entry.lfs else entry.blob_id, downloads, config.max_bytes)
