"""Finished artifacts under their identity, receipts and requests under their key.

    <root>/<stage>/<identity>/           an artifact; its files are read-only
    <root>/<stage>/<identity>.partial/   work on it, which outlives a kill
    <root>/keys/<stage>/<key>.json       a receipt
    <root>/requests/<stage>/<key>.json   a request
    <root>/roots/                        who uses what (see garbage.py)

The root may lie on a file system that machines and people share, and may be read-only.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import Remembered, file_digest, sync, write_text
from gptgrid.artifact.identity import OVERVIEWS, content_digest, overview_digest
from gptgrid.artifact.manifest import MANIFEST, VOLATILE, first_damage, read_manifest, sound_manifest
from gptgrid.artifact.receipt import Receipt, read_receipt
from gptgrid.artifact.request import Request

LARGE = 10**9
"""Bytes above which a file's size, inode and date stand for its hash."""
READ_ONLY = 0o444
PATIENCE = 10.0
"""Seconds to wait for a receipt: another run may be about to write it."""


@dataclass(frozen=True)
class Store:
    """Where finished artifacts lie."""

    root: Path

    # ------------------------------------------------------------------------------------ paths

    def folder(self, stage: str, identity: str) -> Path:
        """Return where an artifact lies, or would lie."""
        return self.root / stage / identity

    def partial(self, stage: str, identity: str) -> Path:
        """Return where an artifact is worked on."""
        return self.root / stage / f"{identity}.partial"

    def receipt_name(self, stage: str, key: str, attempt: int = 0) -> str:
        """Return where a receipt lies; that of another attempt after a failure has a name of its own."""
        return f"{self.root}/keys/{stage}/{key}{f'.retry-{attempt}' if attempt else ''}.json"

    def receipt_path(self, stage: str, key: str, attempt: int = 0) -> Path:
        """Return where a receipt lies, as a path."""
        return Path(self.receipt_name(stage, key, attempt))

    def next_attempt(self, stage: str, key: str) -> int:
        """Return the number of the first attempt that has left no receipt."""
        return next(n for n in count() if not os.path.exists(self.receipt_name(stage, key, n)))  # noqa: PTH110

    def request_path(self, stage: str, key: str) -> Path:
        """Return where a request lies."""
        return self.root / "requests" / stage / f"{key}.json"

    # -------------------------------------------------------------------- requests and receipts

    def write_request(self, request: Request) -> None:
        """Write a request unless it is there."""
        path = self.request_path(request.stage, request.key)
        if self.request(request.stage, request.key) is None:
            write_text(path, json.dumps(request.to_json(), ensure_ascii=False) + "\n")

    def request(self, stage: str, key: str) -> Request | None:
        """Return a request; None if there is none, or not one that is as it was written."""
        try:
            text = self.request_path(stage, key).read_text(encoding="utf-8")
            request = Request.from_json(json.loads(text))
        except (OSError, ValueError):
            return None
        return request if request and (request.stage, request.key) == (stage, key) else None

    def receipt(self, stage: str, key: str) -> Receipt | None:
        """Return a receipt; None if there is none that can be read."""
        receipt = read_receipt(self.receipt_path(stage, key))
        return receipt if receipt and (receipt.stage, receipt.key) == (stage, key) else None

    def write_receipt(self, receipt: Receipt, also: Path | None = None) -> None:
        """Write a receipt under its key, and under the name of a further attempt."""
        path = self.receipt_path(receipt.stage, receipt.key)
        with self.writing():
            receipt.write(path)
            if also is not None and also != path:
                receipt.write(also)

    def awaited_receipt(self, stage: str, key: str) -> Receipt | None:
        """Return a receipt; wait a little for one that another run may be about to write."""
        deadline = time.monotonic() + PATIENCE
        while (receipt := self.receipt(stage, key)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        return receipt

    def make_receipt(
        self, stage: str, key: str, identity: str, made_from: str, incomplete: bool = False
    ) -> Receipt:
        """Return the receipt of an artifact that was just found whole."""
        folder = self.folder(stage, identity)
        manifest = read_manifest(folder)
        files = {name: stamp(folder / name) for name in (*manifest["outputs"], MANIFEST)}
        return Receipt(
            stage=stage,
            key=key,
            identity=identity,
            content=content_digest(manifest),
            overview=overview_digest(manifest),
            made_from=made_from,
            files=files,
            provenance=provenance_digest(folder),
            incomplete=incomplete,
        )

    def stamps(self, receipt: Receipt) -> dict[str, list[int] | None]:
        """Return file → stamp as it is now, for the files of an artifact."""
        folder = self.folder(receipt.stage, receipt.identity)
        return {name: stamp_or_none(folder / name) for name in receipt.files}

    def is_whole(self, receipt: Receipt, digests: Remembered) -> bool:
        """Say whether an artifact is as its receipt says; what has the dates that it had is not read.

        Args:
            receipt: with an identity.
            digests: what is known of the sha256 of files.
        """
        folder = self.folder(receipt.stage, receipt.identity)
        changed = [name for name, now in self.stamps(receipt).items() if receipt.files[name] != now]
        if not changed:
            return True
        manifest = sound_manifest(folder)
        if manifest is None or content_digest(manifest) != receipt.content:
            return False
        return has_outputs(folder, manifest, [name for name in changed if name != MANIFEST], digests)

    def damage(self, receipt: Receipt, unread: tuple[str, ...] = ()) -> str | None:
        """Return a sentence on what of an artifact is not as it was made; None if it is whole.

        Every file is hashed, but for those above a gigabyte that have the size, inode and date that they had.

        Args:
            receipt: with an identity.
            unread: patterns of files that are not going to be read.
        """
        folder = self.folder(receipt.stage, receipt.identity)
        known = tuple(
            name
            for name, before in receipt.files.items()
            if before[0] > LARGE and before[:3] == (stamp_or_none(folder / name) or [])[:3]
        )
        return first_damage(folder, (*unread, *known)) or foreign(folder)

    # -------------------------------------------------------------------------------- artifacts

    def has(self, stage: str, identity: str) -> bool:
        """Say whether an artifact is there: it was whole when it came there."""
        return (self.folder(stage, identity) / MANIFEST).is_file()

    @contextmanager
    def lock(self, stage: str, identity: str, wait: bool = True) -> Iterator[None]:
        """Hold an artifact's lock; wait for another process that is making the same one.

        Raises:
            Timeout: there is one, and it is not to be waited for.
        """
        path = self.root / stage / f"{identity}.lock"
        with self.writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if not wait:
                    raise
                print(f"waiting: another process is making {stage} {identity[:12]}", flush=True)
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Explain why the store cannot be written.

        Raises:
            UserError: it belongs to somebody else, or is read-only.
        """
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise UserError(
                f"the store {self.root} cannot be written ({error.strerror}: {error.filename}); set "
                "GPTGRID_STORE to a folder of your own, or ask the owner of the store for the right to write"
            ) from None

    def publish(self, work: Path, stage: str, identity: str) -> None:
        """Make a finished work folder the artifact, by one rename that lasts through a power cut."""
        for path in work.rglob("*"):
            if path.is_file():
                path.chmod(READ_ONLY)
            sync(path)
        sync(work)
        folder = self.folder(stage, identity)
        if folder.is_dir():
            self.set_aside(stage, identity, f"{folder / MANIFEST} is missing")
        work.rename(folder)
        sync(self.root / stage)
        self.drop_overviews(identity)

    def set_aside(self, stage: str, identity: str, damage: str) -> None:
        """Take a damaged artifact out of the store, and the overviews that show its speed and device.

        Args:
            stage: of the artifact.
            identity: of the artifact.
            damage: a sentence on what is damaged.
        """
        folder = self.folder(stage, identity)
        aside = folder.with_name(f"{identity}.damaged-{time.time_ns()}")
        with self.writing():
            try:
                folder.rename(aside)
            except FileNotFoundError:
                return
        print(f"{damage}; set aside as {aside}", flush=True)
        self.drop_overviews(identity)

    def refuse_damage(self, receipt: Receipt, advice: str, unread: tuple[str, ...] = ()) -> None:
        """Set an artifact aside if it is damaged.

        Args:
            receipt: with an identity.
            advice: what a person is to do then.
            unread: patterns of files that are not going to be read.

        Raises:
            UserError: it was.
        """
        if damage := self.damage(receipt, unread):
            self.set_aside(receipt.stage, receipt.identity, damage)
            raise UserError(f"{damage}; {advice}, which makes it again")

    def drop_overviews(self, identity: str) -> None:
        """Delete the tables and reports that show an artifact: another of its identity has another speed."""
        for overview in OVERVIEWS:
            for path in self.root.glob(f"{overview}/*/{MANIFEST}"):
                # As bytes: each artifact that is made looks at all of them.
                with suppress(FileNotFoundError):
                    if path.parent.name != identity and identity.encode() in path.read_bytes():
                        shutil.rmtree(path.parent, ignore_errors=True)

    def adopt(self, folder: Path) -> bool:
        """Keep a finished artifact that lies outside the store, if it is what its manifest says."""
        manifest = sound_manifest(folder)
        if manifest is None:
            return False
        stage, identity = manifest["stage"], manifest["identity"]
        # An overview shows speeds of artifacts that may be others here: it is made again.
        if stage in OVERVIEWS or self.has(stage, identity) or first_damage(folder):
            return False
        # Whoever adopts holds up others that wait for `view_lock`, so it waits for nobody.
        with suppress(Timeout), self.lock(stage, identity, wait=False):
            if self.has(stage, identity):
                return False
            work = self.root / stage / f"{identity}.adopt"
            shutil.rmtree(work, ignore_errors=True)
            link_files(folder, work, manifest)
            self.publish(work, stage, identity)
            return True
        return False


def has_outputs(folder: Path, manifest: dict[str, Any], names: Iterable[str], digests: Remembered) -> bool:
    """Say whether some files of an artifact have the sha256 of its manifest."""
    return all(
        (folder / name).is_file() and digests.of(folder / name) == manifest["outputs"][name]["sha256"]
        for name in names
    )


def foreign(folder: Path) -> str | None:
    """Return a sentence on what in an artifact's folder is another's, or nobody's; None if nothing is.

    The manifest is sound.
    """
    manifest = read_manifest(folder)
    if manifest["identity"] != folder.name:
        return f"{folder} holds another artifact, {manifest['identity']}"
    known = {*manifest["outputs"], *VOLATILE, MANIFEST}
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    strays = sorted(name for name in files if name not in known)
    return f"{folder / strays[0]} is no part of the artifact" if strays else None


def stamp(path: Path) -> list[int]:
    """Return size, inode, and times of modification and change, in nanoseconds, of a file.

    The time of change cannot be set back; it also changes when a link to the file is made or deleted.
    """
    stat = path.stat()
    return [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]


def stamp_or_none(path: Path) -> list[int] | None:
    """Return the stamp of a file; None if there is none."""
    try:
        return stamp(path)
    except OSError:
        return None


def provenance_digest(folder: Path) -> str | None:
    """Return the sha256 of an artifact's provenance; None if it was not kept."""
    path = folder / "provenance.json"
    return file_digest(path) if path.is_file() else None


def files_of(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Return the names of all files of an artifact that are there, the manifest last."""
    volatile = [name for name in VOLATILE if (folder / name).is_file()]
    return [*manifest["outputs"], *volatile, MANIFEST]


def link_files(origin: Path, target: Path, manifest: dict[str, Any]) -> None:
    """Give the files of an artifact a second name; the manifest, which stands for a whole one, comes last."""
    target.mkdir(parents=True, exist_ok=True)
    (target / MANIFEST).unlink(missing_ok=True)
    for name in files_of(origin, manifest):
        link(origin / name, target / name)


def link(origin: Path, target: Path) -> None:
    """Give a file a second name, at once: a hard link, or a copy where links cannot be made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        part.hardlink_to(origin)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES):
            raise
        shutil.copy2(origin, part)
    part.replace(target)
    part.unlink(missing_ok=True)  # renaming onto another name of the same file leaves both
