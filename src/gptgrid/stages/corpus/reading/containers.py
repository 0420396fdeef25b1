"""What a file holds: itself, a compressed text, or the members of an archive, as streams.

The kind is known by the first bytes, not by the name. No member is ever written to the disk, so none can be
written outside; links, devices and names that lead outside are refused all the same.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.text.litter import is_litter

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 100 * 10**9
"""Bytes that one file may unpack to."""
PIECE = 2**16
"""Packed bytes that are unpacked in one go."""
RATIO, RATIO_FROM = 1000, 100 * 10**6
"""More than RATIO times the packed size is refused as a bomb, once it is more than RATIO_FROM bytes."""


def open_zst(stream: BinaryIO) -> BinaryIO:
    """Open a Zstandard stream, also one with the long windows (`--long=31`) that text dumps have."""
    return zstd.open(stream, options={zstd.DecompressionParameter.window_log_max: 31})


def open_bz2(stream: BinaryIO) -> Streams:
    """Open a bzip2 file, also one of several streams, as pbzip2 writes."""
    return Streams(stream, bz2.BZ2Decompressor, padded=False)


def open_xz(stream: BinaryIO) -> Streams:
    """Open an xz file, also one of several streams, with the padding that the format allows between them."""
    return Streams(stream, partial(lzma.LZMADecompressor, lzma.FORMAT_XZ), padded=True)


class Streams:
    """The content of compressed streams, one behind the other.

    Python's own files take a damaged stream for the end, and say nothing.
    """

    def __init__(
        self, file: BinaryIO, new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor], padded: bool
    ) -> None:
        """Start with the first stream.

        Args:
            file: from its start.
            new: makes what unpacks one stream.
            padded: whether zeros may follow a stream, in multiples of four.
        """
        self.file, self.new, self.padded = file, new, padded
        self.stream = new()
        self.packed = b""

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none only at the end.

        Raises:
            EOFError, OSError, lzma.LZMAError: a stream is cut short, or what follows one is none.
        """
        while True:
            if self.stream.eof:
                self.packed = self.behind_stream()
                if not self.packed:
                    return b""
                self.stream = self.new()
            elif self.stream.needs_input:
                self.packed = self.file.read(PIECE)
                if not self.packed:
                    raise EOFError("it ends inside a compressed stream")
            packed, self.packed = self.packed, b""
            if piece := self.stream.decompress(packed, size):
                return piece

    def behind_stream(self) -> bytes:
        """Return what follows the stream that has ended, from behind the padding."""
        rest, zeros = self.stream.unused_data or self.file.read(PIECE), 0
        while self.padded and rest.startswith(b"\0"):
            stripped = rest.lstrip(b"\0")
            zeros += len(rest) - len(stripped)
            rest = stripped or self.file.read(PIECE)
        if zeros % 4:
            raise lzma.LZMAError(f"{zeros} zero bytes behind a stream, which is no multiple of four")
        return rest


BZ2 = [b"BZh%d" % level + first for level in range(1, 10) for first in (b"1AY&SY", b"\x17rE8P\x90")]
"""A text may begin with BZh: what a stream begins with is its level, and then a block, or the end."""
PACKED: dict[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x1f\x8b": gzip.open,
    b"\x28\xb5\x2f\xfd": open_zst,
    b"\x50\x2a\x4d\x18": open_zst,  # with a frame to skip first, as pzstd writes
    **dict.fromkeys(BZ2, open_bz2),
    b"\xfd7zXZ\x00": open_xz,
}
"""First bytes → how to unpack."""
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
BY_HAND = "unpack it yourself and use `source: files`"
DOCUMENTS = {
    "[Content_Types].xml": "a document of an office program",
    "mimetype": "a document of an office program, or an e-book",
}
"""Member of a zip file that is no archive of texts → what it is."""
NO_TEXTS = {
    b"%PDF-": "a PDF",
    b"%!PS": "a PostScript file",
    b"{\\rtf": "an RTF document",
    b"(dp0\n": "a pickle of Python",
    b"(lp0\n": "a pickle of Python",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
}
"""First bytes of what may pass as a text and is none → what it is."""
LEFT_OUT = "left_out"
"""Fact of an archive: how many of its files are no texts of anybody, and not read."""
POINTERS = {
    "git lfs pull": re.compile(
        rb"version https://(git-lfs|hawser)\.github\.com/spec/.*\n([a-z0-9.-]+ .*\n)*oid .*\nsize \d+\s*"
    ),
    "git annex get": re.compile(rb"/annex/objects/\S+\s*"),
}
"""Command that fetches a file → what Git has in its place."""
ENDINGS = re.compile(r"\.(gz|gzip|zst|zstd|bz2|bzip2|xz)$", re.IGNORECASE)
BROKEN = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
)
"""What the libraries raise on damaged content, and on kinds of compression that they do not know."""


def open_members(
    path: Path,
    name: str,
    members: list[str] | None,
    limit: int = LIMIT,
    scratch: Path | None = None,
    counts: Counter[str] | None = None,
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield what a file holds, in the order of the names; each stream is valid until the next is taken.

    Args:
        path: the file: plain, gz, zst, bz2, xz, zip, tar, or a packed tar.
        name: what a person calls it.
        members: patterns such as `data/*.txt` (`*` crosses folders); None: every file in the archive that a
            person put there.
        limit: bytes that it may have unpacked.
        scratch: where a packed tar is unpacked, as one nameless file; default: the system's folder.
        counts: gets how many files of an archive are LEFT_OUT.

    Yields:
        The name (of a packed file without its ending, of a member as `archive.zip/member`) and the content,
        unpacked if the member is packed itself.

    Raises:
        UserError: it is damaged, encrypted, too large, has not the members, or a link or device among them.
    """
    counts = Counter() if counts is None else counts
    try:
        with path.open("rb") as file:
            packed = path.stat().st_size
            budget = Budget(name, packed, limit)
            if file.peek(4).startswith(ZIP):
                yield from zip_members(file, name, members, budget, counts)
                return
            stream, plain_name = unpacked(file, name, budget)
            if is_tar(stream):
                with seekable(stream, scratch) as tar:
                    yield from tar_members(tar, name, members, Budget(name, packed, limit), counts)
                return
            if members:
                raise UserError(f"{name} is one file, not an archive; take `members` out")
            check_content(stream, name)
            yield plain_name, stream
    except BROKEN as error:
        raise damaged(name, error) from None


def unpacked(stream: BinaryIO, name: str, budget: Budget) -> tuple[BinaryIO, str]:
    """Return the content and name of what may be packed; what is not comes back as it is."""
    head = stream.peek(16)
    for magic, opener in PACKED.items():
        if head.startswith(magic):
            return guard(opener(stream), name, budget), ENDINGS.sub("", name)
    return stream, name


# --------------------------------------------------------------------------------------- archives


def zip_members(
    file: BinaryIO, name: str, members: list[str] | None, budget: Budget, counts: Counter[str]
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the chosen members of a zip archive."""
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        for member, kind in DOCUMENTS.items():
            if member in entries and members is None:
                raise UserError(f"{name} is {kind}; save what it says as a text, or name its `members`")
        for member in select(entries, name, members, counts):
            info, full = entries[member], f"{name}/{member}"
            if info.flag_bits & 1:
                raise UserError(f"{full} is encrypted; {BY_HAND}")
            check_place(member, full, regular=(info.external_attr >> 28) in (0, 0o10))
            yield from member_stream(lambda info=info: archive.open(info), full, budget)


def tar_members(
    file: BinaryIO, name: str, members: list[str] | None, budget: Budget, counts: Counter[str]
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the chosen members of a tar archive."""
    with tarfile.open(fileobj=file, mode="r:") as archive:
        entries = {info.name.removeprefix("./"): info for info in archive if not info.isdir()}
        file.seek(archive.offset)
        if file.read(512) != bytes(512):  # tarfile takes a damaged header for the end
            raise tarfile.ReadError("it ends without its end mark")
        for member in select(entries, name, members, counts):
            info, full = entries[member], f"{name}/{member}"
            check_place(member, full, regular=info.isreg())
            yield from member_stream(lambda info=info: archive.extractfile(info), full, budget)


def member_stream(
    opener: Callable[[], BinaryIO], name: str, budget: Budget
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield name and content of one member, unpacked if it is packed itself."""
    try:
        with opener() as stream:
            content, plain_name = unpacked(guard(stream, name, budget), name, budget)
            if is_tar(content):
                raise UserError(f"{name} is an archive inside an archive; {BY_HAND}")
            check_content(content, name)
            yield plain_name, content
    except BROKEN as error:
        raise damaged(name, error) from None


def select(
    entries: dict[str, object], name: str, patterns: list[str] | None, counts: Counter[str]
) -> list[str]:
    """Return the sorted names of the members that the patterns name, or of those that a person put there.

    Raises:
        UserError: a pattern names none.
    """
    selected = set() if patterns else {member for member in entries if not is_litter(member)}
    counts[LEFT_OUT] += 0 if patterns else len(entries) - len(selected)
    for pattern in patterns or ():
        matching = {member for member in entries if fnmatchcase(member, pattern)}
        if not matching:
            some = ", ".join(sorted(entries)[:10]) + (" …" if len(entries) > 10 else "")
            raise UserError(f"{name} has no member {pattern}; it has {len(entries)}: {some}")
        selected |= matching
    if not selected:
        hidden = f" but {len(entries)} that are hidden; name them in `members`, or" if entries else ";"
        raise UserError(f"{name} has no files{hidden} take it out of the corpus")
    return sorted(selected)


def check_place(member: str, name: str, regular: bool) -> None:
    """Refuse links and devices, and names that lead outside of the archive."""
    remedy = "choose others with `members`, and do not trust the archive"
    if not regular:
        raise UserError(f"{name} is a link or a device, not a file; {remedy}")
    if member.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", member) or re.match("[A-Za-z]:", member):
        raise UserError(f"{name} leads outside of the archive; {remedy}")


def is_tar(stream: BinaryIO) -> bool:
    """Return whether a stream starts with the header of a tar member, whose checksum is right."""
    try:
        tarfile.TarInfo.frombuf(stream.peek(512)[:512], tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def check_content(stream: BinaryIO, name: str) -> None:
    """Refuse what holds its text in another form, and what Git has in the place of a large file."""
    start = stream.peek(1024)[:1024]
    for first, kind in NO_TEXTS.items():
        if start.startswith(first):
            raise UserError(f"{name} is {kind}; save what it says as a text, or take it out of the corpus")
    if start.startswith(ZIP):
        raise UserError(f"{name} is an archive inside an archive; {BY_HAND}")
    for command, pointer in POINTERS.items():
        if pointer.fullmatch(start):
            raise UserError(
                f"{name} only names a file that Git keeps elsewhere; run `{command}` where it was cloned, or "
                "download the file itself"
            )


@contextmanager
def seekable(stream: BinaryIO, scratch: Path | None) -> Iterator[BinaryIO]:
    """Give a packed stream as a file, since members come in the order of names, not of the archive."""
    if stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile(dir=scratch) as file:
        shutil.copyfileobj(stream, file, 2**20)
        file.seek(0)
        yield file


# ----------------------------------------------------------------------------------------- guards


class Budget:
    """How many bytes a file may still unpack to."""

    def __init__(self, name: str, packed: int, limit: int) -> None:
        self.name, self.packed, self.limit, self.total = name, packed, limit, 0

    def spend(self, size: int) -> None:
        """Count bytes that were unpacked."""
        self.total += size
        if self.total > self.limit:
            raise UserError(
                f"{self.name} unpacks to more than {self.limit:,} bytes; raise `max_bytes` if that is right"
            )
        if self.total > max(RATIO_FROM, RATIO * self.packed):
            raise UserError(
                f"{self.name} has {self.packed:,} bytes and unpacks to more than {RATIO} times as many, "
                f"as no text does; do not trust it, or {BY_HAND}"
            )


def guard(stream: BinaryIO, name: str, budget: Budget) -> BinaryIO:
    """Return a stream that counts what is unpacked, and says which file and member is damaged."""
    return io.BufferedReader(Guarded(stream, name, budget), 2**17)


class Guarded(io.RawIOBase):
    """The raw side of `guard`."""

    def __init__(self, stream: BinaryIO, name: str, budget: Budget) -> None:
        self.stream, self.name, self.budget = stream, name, budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        try:
            piece = self.stream.read(len(buffer))
        except BROKEN as error:
            raise damaged(self.name, error) from None
        self.budget.spend(len(piece))
        buffer[: len(piece)] = piece
        return len(piece)


def damaged(name: str, error: Exception) -> UserError:
    """Return what to say about damaged content, or about a disk that fails."""
    if isinstance(error, OSError) and error.errno:
        return UserError(f"{name} cannot be read or unpacked ({error.strerror}); fix that, then run again")
    return UserError(f"{name} is damaged ({error or type(error).__name__}); fetch or pack it again")
