"""Files from the web, pinned by their sha256 and kept under it, from a mirror first where there is one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx
from filelock import FileLock

from gptgrid.stage import UserError

DOWNLOADS = Path("data") / "downloads"
PIECE = 2**20


def fetch(url: str, sha256: str, folder: Path = DOWNLOADS) -> Path:
    """Return the file that a URL names, from the folder, the mirror `GPTGRID_MIRROR`, or the web.

    Args:
        url: an https address.
        sha256: what the file must contain.
        folder: where files are kept, under their sha256.

    Raises:
        UserError: it cannot be had, or is another file.
    """
    target = folder / sha256
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{sha256}.lock"):
        if not target.is_file():
            part = folder / f"{sha256}.part"
            found = save(pieces(url), part)
            if found != sha256:
                part.unlink()
                raise UserError(f"{url} has sha256 {found}, but {sha256} was expected; check both")
            part.replace(target)
    return target


def save(content: Iterator[bytes], path: Path) -> str:
    """Write pieces to a file; return their sha256."""
    total = hashlib.sha256()
    with path.open("wb") as file:
        for piece in content:
            total.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return total.hexdigest()


def pieces(url: str) -> Iterator[bytes]:
    """Yield the content of a URL from the first place that has it."""
    mirror = os.environ.get("GPTGRID_MIRROR", "")
    path = url.removeprefix("https://")
    places = [url]
    if mirror.startswith(("http://", "https://")):
        places.insert(0, f"{mirror.rstrip('/')}/{path}")
    elif mirror and (copy := Path(mirror) / unquote(path)).is_file():
        with copy.open("rb") as file:
            yield from iter(lambda: file.read(PIECE), b"")
        return
    for place in places:
        try:
            with httpx.stream("GET", place, follow_redirects=True, timeout=30) as answer:
                answer.raise_for_status()
                yield from answer.iter_bytes(PIECE)
                return
        except httpx.HTTPError as error:
            failure = f"{place}: {error or type(error).__name__}"
            print(failure, flush=True)
    raise UserError(f"{failure}; check the network, or set GPTGRID_MIRROR to a folder that has {path}")
