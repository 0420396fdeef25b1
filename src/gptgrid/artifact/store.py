"""Finished artifacts under their identity, on a file system that machines may share."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gptgrid.artifact.identity import identity_of
from gptgrid.artifact.manifest import MANIFEST, VOLATILE, first_damage, read_manifest


@dataclass(frozen=True)
class Store:
    """Finished artifacts under `<root>/<stage>/<identity>/`; a file system that machines may share."""

    root: Path

    def folder(self, stage: str, identity: str) -> Path:
        """Return where an artifact lies, or would lie."""
        return self.root / stage / identity

    def has(self, stage: str, identity: str) -> bool:
        """Say whether an artifact is there, whole."""
        return (self.folder(stage, identity) / MANIFEST).is_file()

    @contextmanager
    def lock(self, stage: str, identity: str) -> Iterator[None]:
        """Hold an artifact's lock; wait for another process that is making the same one."""
        path = self.root / stage / f"{identity}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(
                f"waiting: another process is making {stage} {identity[:12]}",
                flush=True,
            )
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def is_intact(self, stage: str, identity: str) -> bool:
        """Check the files of an artifact against its manifest; set a damaged one aside."""
        folder = self.folder(stage, identity)
        damaged = first_damage(folder, read_manifest(folder))
        if damaged is None:
            return True
        aside = folder.with_name(f"{identity}.damaged-{time.time_ns()}")
        folder.rename(aside)
        print(f"{damaged} in the store; set aside as {aside} and made again", flush=True)
        return False

    def publish(self, work: Path, stage: str, identity: str) -> None:
        """Make a finished work folder the artifact, by one rename that lasts through a power cut."""
        for path in work.rglob("*"):
            sync(path)
        sync(work)
        work.rename(self.folder(stage, identity))
        sync(self.root / stage)

    def adopt(self, folder: Path) -> bool:
        """Keep a finished artifact that lies outside the store, if it is what its manifest says."""
        manifest = read_manifest(folder)
        stage, identity = manifest["stage"], manifest["identity"]
        expected = identity_of(stage, manifest["config"], manifest["source"], manifest["inputs"])
        if identity != expected or self.has(stage, identity) or first_damage(folder, manifest):
            return False
        with self.lock(stage, identity):
            work = self.root / stage / f"{identity}.adopt"
            shutil.rmtree(work, ignore_errors=True)
            link_artifact(folder, work, manifest)
            self.publish(work, stage, identity)
        return True


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_artifact(origin: Path, target: Path, manifest: dict[str, Any]) -> None:
    """Give an artifact a second name: hard links, or copies where links cannot be made.

    The manifest comes last, so that a folder with a manifest is whole.
    """
    target.mkdir(parents=True, exist_ok=True)
    (target / MANIFEST).unlink(missing_ok=True)
    volatile = [name for name in VOLATILE if (origin / name).is_file()]
    # Of an earlier artifact here that had more of them; readers take all that they find.
    for numbered in target.glob("*-[0-9]*.*"):
        if numbered.name not in manifest["outputs"]:
            numbered.unlink()
    for name in [*manifest["outputs"], *volatile, MANIFEST]:
        link(origin / name, target / name)


def link(origin: Path, target: Path) -> None:
    """Give a file a second name: a hard link, or a copy where links cannot be made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(origin)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES):
            raise
        shutil.copy2(origin, target)
