"""Who uses what of a store: each checkout and experiment leaves the list of its keys there, as in Nix.

`<store>/roots/<user>-<keys>.json` is one list. The newest of a checkout and experiment counts, those of runs
that go on, and those of the last day: a run whose Snakemake was killed may have programs that still work.
"""

from __future__ import annotations

import errno
import getpass
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from gptgrid.artifact.files import write_text
from gptgrid.artifact.identity import digest
from gptgrid.artifact.store import Store

DAY = 86400.0
MOMENT = 0.5
"""Seconds to wait for a run's own lock: whoever prunes holds it for an instant, to see whether it is free."""


@dataclass(frozen=True)
class Root:
    """What an experiment of a checkout uses."""

    checkout: str
    experiment: str
    host: str
    owner: str
    time: float
    """Seconds since 1970 when it was written."""
    keys: dict[str, dict[str, str]]
    """Stage → key → folder in which people see the artifact, "" for none."""
    store: str = ""
    """Where the store lies in the checkout, and moves with it; "" for a store elsewhere."""

    @property
    def user(self) -> str:
        """Return what tells the checkouts and experiments apart that use a store."""
        place = [self.store] if self.store else [self.host, self.checkout]
        return digest([*place, self.experiment])[:16]

    @property
    def name(self) -> str:
        """Return the name of its file, without the suffix."""
        return f"{self.user}-{digest(self.keys)[:16]}"

    def is_gone(self) -> bool:
        """Say whether the checkout was deleted, as far as this machine can tell."""
        return self.host == platform.node() and not Path(self.checkout).is_dir() and not self.store


def root_of(experiment: str, keys: dict[str, dict[str, str]]) -> Root:
    """Return the root of an experiment in the current folder."""
    return Root(str(Path.cwd()), experiment, platform.node(), user_name(), time.time(), keys)


def placed(root: Root, store: Store) -> Root:
    """Return a root that knows where the store lies in its checkout."""
    inside = Path(os.path.relpath(store.root.resolve(), root.checkout))
    elsewhere = inside.is_absolute() or inside.parts[0] == ".."
    return replace(root, store="" if elsewhere else str(inside))


def user_name() -> str:
    """Return who runs this, or the number of the user where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def pruning_lock(store: Store) -> FileLock:
    """Return the lock under which roots are written, and artifacts deleted that no root uses."""
    return FileLock(store.root / "roots" / "pruning.lock")


def register(store: Store, root: Root) -> FileLock | None:
    """Write a root; return the lock that says, while it is held, that a run goes on.

    None where the store cannot be written, so that nobody can prune it from here either, or where another run
    with the same keys holds the lock.
    """
    root = placed(root, store)
    folder = store.root / "roots"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with pruning_lock(store):
            write_text(folder / f"{root.name}.json", json.dumps(asdict(root)) + "\n")
    except PermissionError:
        return None
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return None
    lock = FileLock(folder / f"{root.name}.lock")
    try:
        lock.acquire(timeout=MOMENT)
    except Timeout:
        return None
    return lock


def roots(store: Store) -> Iterator[tuple[Path, Root]]:
    """Yield the roots of a store with their files, the newest first."""
    found = []
    for path in store.root.glob("roots/*.json"):
        try:
            found.append((path, where_it_is_now(store, Root(**json.loads(path.read_text(encoding="utf-8"))))))
        except (OSError, ValueError, TypeError):
            continue
    yield from sorted(found, key=lambda pair: -pair[1].time)


def where_it_is_now(store: Store, root: Root) -> Root:
    """Return a root with the present place of its checkout: one that holds the store moves with it."""
    if not root.store:
        return root
    return replace(root, checkout=str(store.root.resolve()).removesuffix(f"/{root.store}"))


def counting_roots(store: Store) -> list[Root]:
    """Return the roots that count."""
    seen: set[str] = set()
    counting = []
    for path, root in roots(store):
        newest = root.user not in seen
        seen.add(root.user)
        recent = time.time() - root.time < DAY
        if is_held(path.with_suffix(".lock")) or ((newest or recent) and not root.is_gone()):
            counting.append(root)
    return counting


def is_held(path: Path) -> bool:
    """Say whether a process holds a lock, as far as this user may try it."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except OSError:  # a Timeout among them
        return True
