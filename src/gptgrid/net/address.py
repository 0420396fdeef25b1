"""Addresses without what nobody else may see: queries, which may be signatures, and passwords.

Files from the web are pinned by their sha256, so that no identity needs the query. It lies beside the
downloads until the file is there; requests, manifests, cards and logs have the address without it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

DOWNLOADS = Path("data") / "downloads"
QUERY = re.compile(r"""(?<=://)([^\s/?#'"]*@)?([^\s?#'"]*)([?#][^\s'"]*)?""")


def public(text: str) -> str:
    """Return an address, or a text with some in it, without user names, passwords, queries and fragments."""
    return QUERY.sub(r"\2", text)


def note_address(url: str, sha256: str, folder: Path = DOWNLOADS) -> None:
    """Keep an address with a query for the program that fetches the file, unless the file is there.

    Args:
        url: the whole address.
        sha256: of the file.
        folder: of downloads.
    """
    if url != public(url) and not (folder / sha256).exists():
        folder.mkdir(parents=True, exist_ok=True)
        path = address_path(sha256, folder)
        path.unlink(missing_ok=True)
        # For the eyes of its owner only.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(url)


def whole_address(url: str, sha256: str, folder: Path) -> str:
    """Return an address with the query that was kept for it, if there is one."""
    path = address_path(sha256, folder)
    noted = path.read_text() if path.is_file() else url
    return noted if public(noted) == url else url


def forget_address(sha256: str, folder: Path) -> None:
    """Forget the query of an address, whose file is there."""
    address_path(sha256, folder).unlink(missing_ok=True)


def address_path(sha256: str, folder: Path) -> Path:
    """Return where the address of a file is kept."""
    return folder / f"{sha256}.address"
