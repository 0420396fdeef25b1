"""The files that the paths of a configuration name: files, folders with all that is in them, and patterns.

What nobody put there as a text is left out of folders and of what patterns match, and counted: hidden files,
copies that editors make, empty files, and what is no file at all. A name that is written out is always meant.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from gptgrid.artifact.files import Remembered
from gptgrid.config.read import ConfigError
from gptgrid.text.litter import is_litter

File = tuple[Path, os.stat_result]
WILD, NUMBER = re.compile(r"[*?[]"), re.compile(r"([0-9]+)")
LITTER, EMPTY, SPECIAL = "hidden files or copies by editors", "empty files", "pipes, sockets or devices"
BROKEN, AGAIN = "broken links", "links to the same files"
"""Why something is left out, in words for people."""


class OwnFiles:
    """The files that some paths name, and how many were left out."""

    def __init__(self, paths: Iterable[str], where: str) -> None:
        """Find them.

        Args:
            paths: files, folders and patterns such as `texts/*.txt`, in which `**` stands for any folders.
            where: the place in the configuration.

        Raises:
            ConfigError: a path names nothing, or what it names is no file that can be read.
        """
        self.where = where
        self.found: dict[tuple[int, int], Path] = {}
        """Device and inode → path, in order: of each folder and pattern sorted; each file once."""
        self.reasons: dict[Path, str] = {}
        """What was left out → why."""
        for path in paths:
            try:
                self.add(path)
            except OSError as error:
                raise self.unreadable(Path(error.filename), error) from None
            except RuntimeError:
                raise ConfigError(f"{where}: {path!r}: `~` names no home; write the path out") from None

    @property
    def left_out(self) -> dict[str, int]:
        """Return how many were left out, by reason."""
        return dict(sorted(Counter(self.reasons.values()).items()))

    def add(self, name: str) -> None:
        """Add what a path of the configuration names."""
        before = len(self.reasons)
        files = list(self.named(name)) if name else []
        if not files:
            left_out = Counter(list(self.reasons.values())[before:])
            seen = "".join(f"; left out: {number:,} {reason}" for reason, number in left_out.items())
            raise ConfigError(
                f"{self.where}: no file matches {name!r} (looked in {Path.cwd()}{seen}); check the path"
            )
        for path, status in files:
            first = self.found.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                self.reasons[path] = AGAIN

    def named(self, name: str) -> Iterator[File]:
        """Yield the files of a path of the configuration; `[`, `?` and `~` are letters where it exists."""
        path = Path(name) if os.path.lexists(name) else Path(name).expanduser()
        if os.path.lexists(path) and "*" not in name:
            yield from self.inside(path) if path.is_dir() else [self.checked(path)]
            return
        parts = path.relative_to(path.anchor).parts
        if any("**" in part and part != "**" for part in parts):
            raise ConfigError(f"{self.where}: {name!r}: `**` stands for folders, between slashes: `**/*.txt`")
        for match in sorted(self.matching(Path(path.anchor), parts), key=in_order):
            status = status_of(match)
            if status and stat.S_ISDIR(status.st_mode):
                yield from self.inside(match)
            elif self.is_meant(match, status):
                yield match, status

    def matching(self, folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
        """Yield what is in a folder and matches a pattern."""
        if not parts:
            yield folder
        elif parts[0] == "**":
            for path, status in list(self.tree(folder, set())):
                if status and stat.S_ISDIR(status.st_mode):
                    yield from self.matching(path, parts[1:])
        elif not WILD.search(parts[0]):
            if os.path.lexists(folder / parts[0]):
                yield from self.matching(folder / parts[0], parts[1:])
        elif folder.is_dir():
            for path in entries(folder):
                if not fits(path.name, parts[0]):
                    continue
                if is_litter(path.name) and not is_litter(parts[0]):
                    self.reasons[path] = LITTER
                else:
                    yield from self.matching(path, parts[1:])

    def inside(self, folder: Path) -> Iterator[File]:
        """Yield all files in a folder, and in those in it."""
        for path, status in self.tree(folder, set()):
            if not (status and stat.S_ISDIR(status.st_mode)) and self.is_meant(path, status):
                yield path, status

    def tree(self, folder: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, os.stat_result | None]]:
        """Yield a folder and what is in it, sorted; each folder once, however many links lead to it."""
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        yield folder, status
        for path in entries(folder):
            if is_litter(path.name):
                self.reasons[path] = LITTER
            elif (status := status_of(path)) and stat.S_ISDIR(status.st_mode):
                yield from self.tree(path, seen)
            else:
                yield path, status

    def is_meant(self, path: Path, status: os.stat_result | None) -> bool:
        """Say whether what lies in a folder can be a text; note why not."""
        if status is None:
            self.reasons[path] = BROKEN
        elif not stat.S_ISREG(status.st_mode):
            self.reasons[path] = SPECIAL
        elif not status.st_size:
            self.reasons[path] = EMPTY
        return path not in self.reasons

    def checked(self, path: Path) -> File:
        """Return a path that is written out, and no folder.

        Raises:
            ConfigError: it is no file.
        """
        status = status_of(path)
        if status is None:
            raise ConfigError(f"{self.where}: {path} is a link to {path.readlink()}, which is not there")
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{self.where}: {path} is a pipe, a socket or a device, not a file")
        return path, status

    def digests(self, remembered: Remembered) -> dict[str, str]:
        """Return name → sha256.

        Args:
            remembered: what is known of the sha256 of files.

        Raises:
            ConfigError: one cannot be read, or its name cannot be written down.
        """
        return {name_of(path, self.where): self.digest(path, remembered) for path in self.found.values()}

    def digest(self, path: Path, remembered: Remembered) -> str:
        """Return the sha256 of a file."""
        try:
            return remembered.of(path)
        except OSError as error:
            raise self.unreadable(path, error) from None

    def unreadable(self, path: Path, error: OSError) -> ConfigError:
        """Return what to say about what cannot be read."""
        return ConfigError(
            f"{self.where}: {str(path)!r} cannot be read ({error.strerror}); mend that, or take it out"
        )


def status_of(path: Path) -> os.stat_result | None:
    """Return the status of a file; None of a link that leads nowhere, or in a circle."""
    try:
        return path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return None
        raise


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, in order."""
    return sorted(folder.iterdir(), key=in_order)


def in_order(path: Path) -> tuple[list[list[str | int]], Path]:
    """Return what sorts paths as people do: `part-2` before `part-10`."""
    names = (NUMBER.split(name) for name in path.parts)  # letters and numbers in turns
    return [[int(part) if place % 2 else part for place, part in enumerate(name)] for name in names], path


def fits(name: str, pattern: str) -> bool:
    """Say whether a name matches a pattern, in which brackets are a choice of letters, or brackets."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, pattern.replace("[", "[[]"))


def name_of(path: Path, where: str) -> str:
    """Return the name of a file.

    Raises:
        ConfigError: it cannot be written down.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{where}: the name of {str(path)!r} is not UTF-8; rename the file") from None
    return str(path)
