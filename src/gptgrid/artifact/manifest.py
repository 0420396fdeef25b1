"""manifest.json: what an artifact is, from what it was made, and which bytes it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import file_digest
from gptgrid.artifact.identity import digest, identity_of

MANIFEST = "manifest.json"
VOLATILE = ("provenance.json", "timing.csv")
"""Files beside the outputs that no identity and no digest covers."""


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest with a checksum of its own, so that damage to it shows.

    Indented for people; sorted, so that the bytes depend on the content alone.
    """
    text = json.dumps(
        {**manifest, "checksum": digest(manifest)},
        sort_keys=True,
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
    )
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an artifact.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise UserError(f"{path} is missing: {folder} is not a finished artifact; run snakemake") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); run snakemake, which makes it again") from None
    if not isinstance(manifest, dict):
        raise UserError(f"{path} is damaged (no mapping); run snakemake, which makes it again")
    return manifest


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return the volatile facts of an artifact; empty if they were not kept, or cannot be read."""
    try:
        facts = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def sound_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder if it is one and says what it was written to say; else None."""
    try:
        manifest = read_manifest(folder)
        rest = {name: value for name, value in manifest.items() if name != "checksum"}
        made = identity_of(*(rest[name] for name in ("stage", "config", "source", "inputs")))
    except (UserError, KeyError):
        return None
    sound = manifest.get("checksum") == digest(rest) and made == rest["identity"]
    return manifest if sound else None


def first_damage(folder: Path, unread: tuple[str, ...] = ()) -> str | None:
    """Return a sentence on the first file that is not what the manifest says; None if all are.

    Args:
        folder: of an artifact.
        unread: patterns of files that need not be looked at.
    """
    manifest = sound_manifest(folder)
    if manifest is None:
        return f"{folder / MANIFEST} is missing or damaged"
    for name, output in manifest["outputs"].items():
        path = folder / name
        if any(path.match(pattern) for pattern in unread):
            continue
        if not path.is_file():
            return f"{path} is missing"
        if path.stat().st_size != output["bytes"] or file_digest(path) != output["sha256"]:
            return f"{path} does not have the sha256 of its manifest"
    return None


def describe_outputs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return file → sha256 and bytes for everything that a stage made, but what is volatile."""
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name not in (*VOLATILE, MANIFEST)
    )
    return {
        path.relative_to(folder).as_posix(): {"sha256": file_digest(path), "bytes": path.stat().st_size}
        for path in paths
    }
