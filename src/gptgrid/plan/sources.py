"""Where a corpus, or dialogues, come from: a user's own files, files on the web, or a generator."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gptgrid.artifact.files import Remembered
from gptgrid.config.corpora import FilesCorpus, ShardsCorpus, UrlCorpus
from gptgrid.config.dialogues import FilesDialogues, UrlDialogues
from gptgrid.net.address import public
from gptgrid.plan.own_files import OwnFiles

ADDRESSES = ("url", "sha256", "train", "valid", "test")
"""Keys of an entry from the web that say where its files lie; `files` has what counts of them."""


@dataclass
class Source:
    """What the configuration of an artifact says of the files that it is made from."""

    keys: dict[str, Any] = field(default_factory=dict)
    """`files`: split → the user's own files by name, or address, checksum and how each is read; none where it
    is made from no files."""
    replaced: tuple[str, ...] = ()
    """Keys of the entry in whose place `files` stands."""
    raw: dict[str, str] = field(default_factory=dict)
    """A user's own file → sha256."""
    addresses: dict[str, str] = field(default_factory=dict)
    """sha256 → address of a file on the web, with its query."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Why files were left out → how many."""


def source_of(entry: Any, where: str, digests: Remembered) -> Source:
    """Return what an entry of `corpora` or `dialogues` is made from.

    Args:
        entry: of the configuration.
        where: it stands, for error messages.
        digests: what is known of the sha256 of files.

    Raises:
        ConfigError: a path names nothing, or what it names cannot be read.
    """
    if isinstance(entry, FilesCorpus | ShardsCorpus | FilesDialogues):
        found = {split: OwnFiles(paths, where) for split, paths in entry.files().items()}
        named = {split: files.digests(digests) for split, files in found.items()}
        return Source(
            {"files": {split: list(names) for split, names in named.items()}},
            raw={name: digest for names in named.values() for name, digest in names.items()},
            left_out=dict(sum((Counter(files.left_out) for files in found.values()), Counter())),
        )
    if isinstance(entry, UrlCorpus | UrlDialogues):
        remote = entry.files()
        files = {
            split: [{**file.complete(), "url": public(file.url)} for file in files]
            for split, files in remote.items()
        }
        addresses = {file.sha256: file.url for files in remote.values() for file in files}
        return Source({"files": files}, ADDRESSES, addresses=addresses)
    return Source()
