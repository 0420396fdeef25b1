"""Files that are written whole, and what was worked out from files, remembered between programs."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

STATE = Path(".snakemake") / "gptgrid"
"""Requests, and what is remembered, below the folder in which Snakemake runs. Deleting it costs a second."""


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
    except OSError as error:  # of a full disk Python does not say which file it was
        with suppress(OSError):
            part.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None
    part.replace(path)


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_digest(text: str) -> str:
    """Return the sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Remembered:
    """The answers that a function gave for files: JSON values.

    A file counts as the same while its size, inode and times are. The time of the last change cannot be set
    back, unlike that of the last modification.
    """

    def __init__(self, name: str, work: Callable[[Path], Any], version: str = "") -> None:
        """Read what is there.

        Args:
            name: of the file in STATE that holds the answers.
            work: what to do with a file that is new or changed.
            version: of the function; the answers of another one are forgotten.
        """
        self.path, self.work, self.version = STATE / name, work, version
        self.changed = False
        try:
            checksum, _, text = self.path.read_text(encoding="utf-8").partition("\n")
            # A wrong digest would be believed for as long as its file does not change.
            stored = json.loads(text) if checksum == text_digest(text) else {}
        except (OSError, ValueError):
            stored = {}
        self.known: dict[str, Any] = stored.get("files", {}) if stored.get("version") == version else {}

    def of(self, path: Path) -> Any:
        """Return the answer for a file."""
        stat, name = path.stat(), str(path)
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        if name not in self.known or self.known[name][0] != stamp:
            self.known[name] = [stamp, self.work(path)]
            self.changed = True
        return self.known[name][1]

    def save(self) -> None:
        """Keep what was learned for the next program."""
        if self.changed:
            text = json.dumps({"version": self.version, "files": self.known})
            write_text(self.path, f"{text_digest(text)}\n{text}")
