"""Views: what people see under `data/` and `results/`, links to the files of artifacts in the store.

Nothing reads them but people. A file that a person puts beside ours stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import STATE, Remembered, write_text
from gptgrid.artifact.identity import OVERVIEWS
from gptgrid.artifact.manifest import MANIFEST, VOLATILE, read_manifest, sound_manifest
from gptgrid.artifact.receipt import Receipt
from gptgrid.artifact.store import Store, link_files


@contextmanager
def view_lock() -> Iterator[None]:
    """Hold the lock under which views of this folder change: two programs may have the same one to make."""
    STATE.mkdir(parents=True, exist_ok=True)
    with FileLock(STATE / "views.lock"):
        yield


def claim_views(views: dict[str, str]) -> None:
    """Say what belongs into views from now on: folder → key. Hold `view_lock`.

    Programs of an earlier run, which may still be at work, then leave these views alone.

    Raises:
        UserError: a file stands where a view is to be.
    """
    check_folders(map(Path, views))
    write_text(OWNERS, json.dumps({**owners(), **views}))


def owners() -> dict[str, str]:
    """Return folder → key of what belongs there, as the newest run of each experiment said."""
    try:
        return json.loads(OWNERS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


OWNERS = STATE / "views.json"
AWAY = "move it away, and run the same command again"


def check_folders(views: Iterable[Path]) -> None:
    """Refuse views in whose place, or above which, something else than a folder stands.

    Raises:
        UserError: it does.
    """
    for path in sorted({folder for view in views for folder in (view, *view.parents)}):
        if not path.is_dir() and (path.exists() or path.is_symlink()):
            raise UserError(f"{path} is no folder, but results are to be seen there; {AWAY}")


def link_view(store: Store, stage: str, identity: str, view: Path) -> None:
    """Make a view show an artifact; what it showed before goes. Hold `view_lock`.

    Raises:
        UserError: something of a person's stands in the way.
    """
    origin = store.folder(stage, identity)
    manifest = read_manifest(origin)
    check_folders([view])
    for name in (*manifest["outputs"], *VOLATILE, MANIFEST):
        if (view / name).is_dir():
            raise UserError(f"{view / name} is a folder, but a file with results is to be there; {AWAY}")
    for name in files_shown(view):
        if name not in manifest["outputs"]:
            (view / name).unlink(missing_ok=True)
    link_files(origin, view, manifest)


def files_shown(view: Path) -> list[str]:
    """Return the names of those files in a view that are an artifact's."""
    manifest = sound_manifest(view)
    return [*manifest["outputs"], *VOLATILE, MANIFEST] if manifest else []


def remove_view(store: Store, view: Path) -> None:
    """Take a view away that shows another artifact than the one that belongs there. Hold `view_lock`.

    What the store does not have goes into it first.
    """
    manifest = sound_manifest(view)
    if manifest is None:
        with suppress(FileNotFoundError):
            (view / MANIFEST).unlink()  # damaged: what lies there is not to be taken for an artifact
        return
    store.adopt(view)
    if not (store.has(manifest["stage"], manifest["identity"]) or manifest["stage"] in OVERVIEWS):
        return  # damaged, or the store is full: rather a wrong place than none
    for name in reversed([*manifest["outputs"], *VOLATILE, MANIFEST]):
        (view / name).unlink(missing_ok=True)
    for folder in (view, *list(view.parents)[:2]):
        with suppress(OSError):  # somebody's own files lie there
            folder.rmdir()


def shows(store: Store, receipt: Receipt, view: Path, digests: Remembered) -> bool:
    """Say whether a view shows an artifact, whole: each file the store's own, or with the same bytes."""
    folder = store.folder(receipt.stage, receipt.identity)
    volatile = [name for name in VOLATILE if (folder / name).is_file()]
    return all(is_same_file(folder / name, view / name, digests) for name in (*receipt.files, *volatile))


def is_same_file(stored: Path, shown: Path, digests: Remembered) -> bool:
    """Say whether two names stand for one file, or for equal ones."""
    try:
        one, other = stored.stat(), shown.stat()
    except OSError:
        return False
    if (one.st_ino, one.st_dev) == (other.st_ino, other.st_dev):
        return True
    return one.st_size == other.st_size and digests.of(stored) == digests.of(shown)
