"""Files from the web, pinned by a checksum and kept under it, from a mirror first where there is one.

What was received of a file stays when a connection or the process breaks, and the next attempt goes on there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import unquote
from urllib.request import url2pathname

import httpx
from filelock import FileLock
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from gptgrid.artifact.errors import UserError
from gptgrid.net.address import DOWNLOADS, forget_address, public, whole_address
from gptgrid.net.http import HUB, InterruptionError, RefusalError, check, get, hub_endpoint

ATTEMPTS = 6
"""Attempts in a row that bring nothing new."""
BACKOFF = wait_exponential_jitter(initial=1, max=60)
"""Seconds between attempts: about 1, 2, 4, 8, 16."""
PROGRESS = 5.0
"""Seconds between lines of progress."""


def fetch(
    url: str,
    sha256: str,
    folder: Path = DOWNLOADS,
    limit: int | None = None,
    schemes: Collection[str] = ("https",),
) -> Path:
    """Return the file that a URL names, from the folder, the mirror `GPTGRID_MIRROR`, or the web.

    Args:
        url: an https address; its query may have been noted beside the downloads.
        sha256: what the file must contain, as 64 hex digits; or its git blob id, as 40.
        folder: where files are kept, under their checksum.
        limit: bytes; a larger file is refused.
        schemes: which of `https`, `http` and `file` are allowed.

    Raises:
        UserError: it cannot be had, is too large, or is another file.
    """
    url = whole_address(url, sha256, folder)
    check(url, schemes)
    target, git = folder / sha256, len(sha256) == 40
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{sha256}.lock"):
        if target.is_file():
            if checksum(target, git) == sha256:
                forget_address(sha256, folder)
                return target
            print(f"{target} is damaged; fetching it again", flush=True)
            target.unlink()
        part = Part(folder / f"{sha256}.part", limit)
        place = obtain(url, part, schemes)
        digest = checksum(part.path, git)
        if digest != sha256 and part.continued:
            print(f"{public(place)} is not what the received part belongs to; starting again", flush=True)
            part.discard()
            place = obtain(url, part, schemes)
            digest = checksum(part.path, git)
        if digest != sha256:
            part.discard()
            kind, origin = "git id" if git else "sha256", "" if place == url else f", from {public(place)}"
            raise UserError(
                f"{public(url)} has {kind} {digest}, but {sha256} was expected{origin}; check both"
            )
        part.path.replace(target)
        part.discard()
        forget_address(sha256, folder)
    return target


def checksum(path: Path, git: bool = False) -> str:
    """Return the sha256 of a file, or its git blob id, as hex digits."""
    total = hashlib.sha256()
    if git:
        total = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(2**20):
            total.update(piece)
    return total.hexdigest()


class Part:
    """What has been received of a file, and the entity tag under which the server gives the rest."""

    def __init__(self, path: Path, limit: int | None) -> None:
        self.path = path
        self.tag = path.with_suffix(".etag")
        self.limit = limit
        self.continued = False
        """Whether it was put together from more than one answer."""

    @property
    def size(self) -> int:
        """Bytes received."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def headers(self) -> dict[str, str]:
        """Return what asks for the rest, if the file is still the same."""
        if not self.size:
            return {}
        condition = {"If-Range": self.tag.read_text()} if self.tag.is_file() else {}
        return {"Range": f"bytes={self.size}-", **condition}

    def begin(self, tag: str) -> None:
        """Start again; only a strong entity tag promises the same bytes (RFC 9110, 13.1.5)."""
        self.discard()
        if re.fullmatch('"[!-~]*"', tag):
            self.tag.write_text(tag)

    def check(self, size: int, name: str) -> None:
        """Refuse a file of too many bytes."""
        if self.limit is not None and size > self.limit:
            self.discard()
            raise UserError(
                f"{name} has {size:,} bytes or more, but the limit is {self.limit:,}; raise `max_bytes`"
            )

    def discard(self) -> None:
        """Leave nothing."""
        self.continued = False
        for path in (self.path, self.tag):
            path.unlink(missing_ok=True)


# ----------------------------------------------------------------------------------------- places


def obtain(url: str, part: Part, schemes: Collection[str]) -> str:
    """Fill the part from the first place that has the file; return that place."""
    for place, allowed in places(url, schemes):
        try:
            if "://" not in place:
                copy(Path(place), part)
            else:
                receive(place, part, allowed)
            return place
        except (RefusalError, InterruptionError) as failure:
            reason = f"{public(place)}: {failure}"
            print(reason, flush=True)
        except OSError as error:
            raise UserError(
                f"{part.path} cannot be written ({error.strerror}); make room, then run again"
            ) from None
    raise UserError(f"{reason}; check the address and the network, or {mirrored(public(url))}")


def mirrored(url: str) -> str:
    """Return what lets a mirror have the file of an address: where to put it, or what to set."""
    mirror, name = os.environ.get("GPTGRID_MIRROR", "").rstrip("/"), unquote(without_scheme(url))
    if mirror and "://" not in mirror:
        return f"put the file at {Path(mirror) / name}, where GPTGRID_MIRROR would have it"
    return f"set GPTGRID_MIRROR to a folder that has {name}"


def without_scheme(url: str) -> str:
    """Return host and path of an address, and its query: its place in a mirror."""
    return re.sub("^[a-z]+://", "", url)


def places(url: str, schemes: Collection[str]) -> Iterator[tuple[str, Collection[str]]]:
    """Yield paths and addresses at which a file may lie, and the schemes that are allowed there."""
    mirror = os.environ.get("GPTGRID_MIRROR", "").rstrip("/")
    # A signature is for its own host. A folder may have it, or another query, in the name of a file.
    names = [without_scheme(address) for address in (url, public(url))]
    if url.startswith("file://"):
        yield url2pathname(url.removeprefix("file://")), schemes
        return
    if mirror.startswith(("http://", "https://")):
        yield f"{mirror}/{names[1]}", ("https", "http")
    elif mirror:
        for name in names:
            if (copy := Path(mirror) / unquote(name)).is_file():
                yield str(copy), schemes
                return
    if url.startswith(HUB + "/"):  # a user who sets HF_ENDPOINT trusts it
        url = hub_endpoint() + url.removeprefix(HUB)
        schemes = {*schemes, url.split(":")[0]}
    yield url, schemes


def copy(path: Path, part: Part) -> None:
    """Fill the part from a file."""
    try:
        source = path.open("rb")
    except OSError as error:
        raise RefusalError(f"it cannot be read ({error.strerror})") from None
    with source, part.path.open("wb") as target:
        part.check(path.stat().st_size, str(path))
        shutil.copyfileobj(source, target, 2**20)


# --------------------------------------------------------------------------------------- transfer


def receive(place: str, part: Part, schemes: Collection[str]) -> None:
    """Fill the part from an address, with as many attempts as bring it further."""
    most = part.size
    attempts = Retrying(
        retry=retry_if_exception_type(InterruptionError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=pause,
        before_sleep=lambda state: print_failure(place, part, state),
        sleep=lambda seconds: sleep(seconds),
        reraise=True,
    )
    for attempt in attempts:
        with attempt:
            try:
                transfer(place, part, schemes)
            except InterruptionError:
                if part.size > most:
                    most, attempt.retry_state.attempt_number = part.size, 1
                raise


def pause(state: RetryCallState) -> float:
    """Return the seconds before the next attempt: what the server asks for, or longer each time."""
    requested = state.outcome.exception().pause
    return BACKOFF(state) if requested is None else requested


def print_failure(place: str, part: Part, state: RetryCallState) -> None:
    """Print why an attempt failed and what comes next."""
    print(
        f"{public(place)}: {state.outcome.exception()}; "
        f"{part.size:,} bytes are there, next attempt in {state.next_action.sleep:.0f} s",
        flush=True,
    )


def transfer(place: str, part: Part, schemes: Collection[str]) -> None:
    """Receive a file, or the rest of it, in one answer."""
    with get(place, part.headers(), schemes) as answer:
        start, total = extent(answer)
        if answer.status_code == 416 and total == part.size:
            part.continued = True
            return  # all of it came before; the checksum decides
        if start != (part.size if answer.status_code == 206 else 0):
            part.discard()
            raise InterruptionError("it cannot go on where it broke off; starting again", pause=0)
        if start:
            part.continued = True
        else:
            part.begin(answer.headers.get("etag", ""))
        part.check(total or 0, public(place))
        progress = Progress(public(place), start, total)
        with part.path.open("ab") as file:
            for piece in answer.iter_raw():
                file.write(piece)
                progress.add(len(piece))
                part.check(progress.size, public(place))
            file.flush()
            os.fsync(file.fileno())
        if total is not None and progress.size != total:
            raise InterruptionError(f"it sent {progress.size:,} of {total:,} bytes", pause=0)
        progress.finish()


def extent(answer: httpx.Response) -> tuple[int | None, int | None]:
    """Return where in the file an answer starts and how long the file is, as far as it says so."""
    if answer.status_code == 200:
        length = answer.headers.get("content-length", "")
        return 0, int(length) if length.isdigit() else None
    span = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", answer.headers.get("content-range", ""))
    if not span:
        return None, None
    return tuple(int(number) if number and number != "*" else None for number in span.groups())


class Progress:
    """A line every few seconds: how much, how fast, how long still."""

    def __init__(self, name: str, size: int, total: int | None) -> None:
        self.name, self.first, self.size, self.total = name, size, size, total
        self.start = self.printed = monotonic()

    def add(self, size: int) -> None:
        """Count bytes, and print a line if the last was long ago."""
        self.size += size
        if monotonic() - self.printed >= PROGRESS:
            self.printed = monotonic()
            left = ""
            if self.total and self.rate:
                share, seconds = self.size / self.total, (self.total - self.size) / self.rate
                left = f" of {self.total / 1e6:,.1f} MB ({share:.0%}), {seconds:,.0f} s left"
            print(f"{self.name}: {self.size / 1e6:,.1f} MB{left}, {self.rate / 1e6:,.1f} MB/s", flush=True)

    @property
    def rate(self) -> float:
        """Bytes a second in this answer."""
        return (self.size - self.first) / max(monotonic() - self.start, 1e-9)

    def finish(self) -> None:
        """Print what came."""
        print(f"{self.name}: {self.size / 1e6:,.1f} MB are there, {self.rate / 1e6:,.1f} MB/s", flush=True)
