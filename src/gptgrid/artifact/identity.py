"""Digests: of values, of files, of what an artifact holds, and of all that decides it."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ABOUT, CARD = "about", "card.md"
"""The fact and the output that describe an artifact to people. What is made from its content does not depend
on them: a licence that is mended retrains nothing."""


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no blanks, no NaN."""
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def digest(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def namespace(value: Any) -> Any:
    """Turn nested mappings into namespaces: `config.training.lr`."""
    return json.loads(json.dumps(value), object_hook=lambda pairs: SimpleNamespace(**pairs))


def content_digest(manifest: dict[str, Any]) -> str:
    """Return the digest of what an artifact holds, however and from wherever it came about."""
    files = {name: output["sha256"] for name, output in manifest["outputs"].items() if name != CARD}
    facts = {name: fact for name, fact in manifest["facts"].items() if name != ABOUT}
    return digest({"outputs": files, "facts": facts})


def described_digest(manifest: dict[str, Any]) -> str:
    """Return the digest of what an artifact holds and of what it says about itself."""
    return digest({"content": content_digest(manifest), ABOUT: manifest["facts"].get(ABOUT)})


def input_digest(stage: str, manifest: dict[str, Any]) -> str:
    """Return what the identity of a stage's artifact takes from an input: the report shows descriptions."""
    return described_digest(manifest) if stage == "report" else content_digest(manifest)


def identity_of(stage: str, config: Any, source: str, inputs: dict[str, str]) -> str:
    """Return the identity of an artifact: the digest of everything that decides what it holds."""
    return digest({"stage": stage, "config": config, "source": source, "inputs": inputs})
