"""What of a store nobody uses, and deleting it beside runs that go on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gptgrid.artifact.identity import STAGES
from gptgrid.artifact.manifest import MANIFEST, read_provenance, sound_manifest
from gptgrid.artifact.receipt import read_receipt
from gptgrid.artifact.roots import counting_roots, pruning_lock
from gptgrid.artifact.store import Store

BATCH = 100
"""Artifacts that are deleted under one look at who uses what; each has a lock, a file that is open."""
REMAINS = {
    "damaged-": "was damaged and set aside",
    "again": "was made again with other bits",
    "adopt": "was left by a program that was killed",
    "trash-": "was left by an earlier pruning",
}
"""Suffix of a folder beside artifacts → why it may go."""


@dataclass(frozen=True)
class Entry:
    """A finished artifact in the store."""

    folder: Path
    stage: str
    manifest: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def identity(self) -> str:
        """Return the name that it has in the store."""
        return self.folder.name

    @property
    def is_linked(self) -> bool:
        """Say whether a folder elsewhere has links to it."""
        with suppress(OSError):
            return (self.folder / MANIFEST).stat().st_nlink > 1
        return False


@dataclass(frozen=True)
class Garbage:
    """A folder that nobody uses."""

    folder: Path
    why: str
    bytes: int


def entries(store: Store) -> Iterator[Entry]:
    """Yield the finished artifacts of a store."""
    for stage in STAGES:
        for path in sorted(store.root.glob(f"{stage}/*/{MANIFEST}")):
            manifest = sound_manifest(path.parent)
            if manifest and path.parent.name == manifest["identity"]:
                yield Entry(path.parent, stage, manifest, read_provenance(path.parent))


def identities_in_use(store: Store) -> dict[str, str]:
    """Return identity → who uses it, for all that a root that counts needs."""
    found: dict[str, str] = {}
    for root in counting_roots(store):
        for stage, keys in root.keys.items():
            for key in keys:
                receipt = store.receipt(stage, key)
                if receipt and receipt.identity:
                    found[receipt.identity] = f"{root.owner}: {root.checkout}, {root.experiment}"
    return found


def garbage(store: Store, unfinished: bool = False) -> list[Garbage]:
    """Return what may be deleted.

    Args:
        store: what to prune.
        unfinished: also the work of programs that were killed, from which they would continue.
    """
    used = identities_in_use(store)
    found = [
        Garbage(entry.folder, "no experiment uses it", size_of(entry.folder))
        for entry in entries(store)
        if entry.identity not in used and not entry.is_linked
    ]
    for stage in STAGES:
        for suffix, why in REMAINS.items():
            found += [Garbage(path, why, size_of(path)) for path in store.root.glob(f"{stage}/*.{suffix}*")]
        if unfinished:
            found += [
                Garbage(path, "is the work of a program that was killed", size_of(path))
                for path in store.root.glob(f"{stage}/*.partial")
            ]
    return found


def delete(store: Store, items: list[Garbage]) -> list[Garbage]:
    """Delete what is still not used; return what was deleted.

    A run writes its root before it looks at what is there, under the same lock: it sees all of an artifact,
    or nothing.
    """
    deleted, trash = [], []
    with store.writing(), pruning_lock(store):
        for start in range(0, len(items), BATCH):
            with ExitStack() as locks:
                free = lock_free(items[start : start + BATCH], locks)
                # Under the locks: a program writes the receipt of what it takes up while it holds one.
                used, receipts = identities_in_use(store), receipts_by_identity(store)
                for item in free:
                    identity = item.folder.name.partition(".")[0]
                    if item.folder.name == identity:
                        if identity in used:
                            continue
                        for path in receipts.get(identity, []):
                            path.unlink(missing_ok=True)
                    trash.append(item.folder.with_name(f"{identity}.trash-{time.time_ns()}"))
                    item.folder.rename(trash[-1])
                    deleted.append(item)
    for folder in trash:
        shutil.rmtree(folder)
    return deleted


def lock_free(items: list[Garbage], locks: ExitStack) -> list[Garbage]:
    """Return those that no program is at work on; the locks that say so stay held."""
    held: dict[Path, bool] = {}
    free = []
    for item in items:
        path = item.folder.with_name(f"{item.folder.name.partition('.')[0]}.lock")
        if path not in held:
            try:
                locks.enter_context(FileLock(path, timeout=0))
                held[path] = True
            except Timeout:
                held[path] = False
        if held[path]:
            free.append(item)
    return free


def receipts_by_identity(store: Store) -> dict[str, list[Path]]:
    """Return identity → the receipts that say that the artifact is in the store."""
    found: dict[str, list[Path]] = {}
    for path in store.root.glob("keys/*/*.json"):
        receipt = read_receipt(path)
        if receipt and receipt.identity:
            found.setdefault(receipt.identity, []).append(path)
    return found


def delete_old_requests(store: Store) -> int:
    """Delete requests and receipts of further attempts that no root counts; return how many."""
    with pruning_lock(store):
        used = {key for root in counting_roots(store) for keys in root.keys.values() for key in keys}
        old = [path for path in store.root.glob("requests/*/*.json") if path.stem not in used]
        old += [p for p in store.root.glob("keys/*/*.retry-*.json") if p.name.partition(".")[0] not in used]
        for path in old:
            path.unlink(missing_ok=True)
    return len(old)


def size_of(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
