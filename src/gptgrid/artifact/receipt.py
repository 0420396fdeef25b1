"""A receipt: what came of a request.

Receipts lie in the store under their request's key. One that names an identity means that the artifact is in
the store, whole; it is written last, and can be made again from the artifact.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gptgrid.artifact.files import write_text
from gptgrid.artifact.identity import digest


@dataclass(frozen=True)
class Failure:
    """Why something could not be made."""

    name: str
    """Of what failed, as a person knows it; what depends on it could not be made either."""
    reason: str
    """A sentence."""


@dataclass(frozen=True)
class Receipt:
    """What came of a request."""

    stage: str
    key: str
    identity: str | None = None
    """Of the artifact; None if it could not be made."""
    content: str | None = None
    """Digest of what it holds."""
    overview: str | None = None
    """Digest of all of it that a table or a report shows."""
    made_from: str | None = None
    """Digest of what its inputs hold; where they hold something else now, the receipt does not count."""
    files: dict[str, list[int]] = field(default_factory=dict)
    """File in the store → size, inode, and times of modification and change, when it was found whole."""
    provenance: str | None = None
    """sha256 of provenance.json, which decides nothing, but is shown."""
    failure: Failure | None = None
    incomplete: bool = False
    """Whether some of what a table or report shows could not be made: it is made again when that is."""
    accepted: str | None = None
    """Why an artifact of an older source stands here; a person accepted it."""

    def write(self, path: Path) -> None:
        """Write the receipt, whole or not at all."""
        values = asdict(self)
        write_text(path, json.dumps({**values, "checksum": digest(values)}) + "\n")

    def digest_for(self, overview: bool) -> str:
        """Return what an identity takes from this artifact."""
        if self.failure:
            return digest(asdict(self.failure))
        if not overview:
            return self.content
        return digest([self.overview, self.accepted]) if self.accepted else self.overview


def read_receipt(path: Path) -> Receipt | None:
    """Return a receipt; None if there is none, or not one that is as it was written."""
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict) or values.pop("checksum", None) != digest(values):
        return None
    failure = values["failure"]
    return Receipt(**{**values, "failure": Failure(**failure) if failure else None})
