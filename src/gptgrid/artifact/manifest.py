"""manifest.json: what an artifact is, from what it was made, and which bytes it holds."""

import json
from pathlib import Path
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import file_digest

MANIFEST = "manifest.json"


VOLATILE = ("provenance.json", "timing.csv")
"""Files beside the outputs that no identity and no digest covers."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an artifact.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {folder} is not a finished artifact; run snakemake") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run snakemake again") from None


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return the volatile facts of an artifact; empty if they were not kept."""
    path = folder / "provenance.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def first_damage(folder: Path, manifest: dict[str, Any]) -> str | None:
    """Return a sentence on the first output that is not what the manifest says; None if all are."""
    for name, output in manifest["outputs"].items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if path.stat().st_size != output["bytes"] or file_digest(path) != output["sha256"]:
            return f"{path} does not have the sha256 of its manifest"
    return None


def describe_outputs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return file → sha256 and bytes for everything that a stage made, but what is volatile."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in VOLATILE)
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": file_digest(path),
            "bytes": path.stat().st_size,
        }
        for path in paths
    }
