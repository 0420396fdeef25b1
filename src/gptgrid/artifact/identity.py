"""Keys, identities and digests: what decides an artifact, and what it holds.

A key is known before anything runs: the digest of a stage, its configuration slice, its source, the user's
own files, and the keys of its inputs. An identity is known once the inputs are: the same with what the inputs
hold in place of their keys. Two keys may lead to one identity.
"""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace
from typing import Any

ABOUT, CARD = "about", "card.md"
"""The fact and the output that describe an artifact to people. What is made from its content does not depend
on them: a licence that is mended retrains nothing."""
OVERVIEWS = ("compare", "report")
"""Stages that gather the artifacts of a whole experiment, failed ones among them."""
STAGES = ("corpus", "tokenizer", "encode", "train", "finetune", "evaluate", "sample", *OVERVIEWS)
"""In the order in which they run."""


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def namespace(value: Any) -> Any:
    """Turn nested mappings into namespaces: `config.training.lr`."""
    return json.loads(json.dumps(value), object_hook=lambda pairs: SimpleNamespace(**pairs))


def mapping(value: SimpleNamespace) -> dict[str, Any]:
    """Turn nested namespaces back into mappings."""
    return json.loads(json.dumps(value, default=vars))


def key_of(stage: str, config: Any, source: str, inputs: dict[str, str]) -> str:
    """Return the key of an artifact.

    Args:
        stage: what makes it.
        config: the slice of the configuration that decides it.
        source: fingerprint of the program.
        inputs: name → key of an artifact, or sha256 of a user's own file.
    """
    return digest({"key of": stage, "config": config, "source": source, "inputs": inputs})


def identity_of(stage: str, config: Any, source: str, inputs: dict[str, str]) -> str:
    """Return the identity of an artifact: the digest of everything that decides what it holds.

    Args:
        stage: what makes it.
        config: the slice of the configuration that decides it.
        source: fingerprint of the program.
        inputs: name → digest of what an artifact holds, or sha256 of a user's own file.
    """
    return digest({"stage": stage, "config": config, "source": source, "inputs": inputs})


def content_digest(manifest: dict[str, Any]) -> str:
    """Return the digest of what an artifact holds, however and from wherever it came about."""
    files = {name: output["sha256"] for name, output in manifest["outputs"].items() if name != CARD}
    facts = {name: fact for name, fact in manifest["facts"].items() if name != ABOUT}
    return digest({"outputs": files, "facts": facts})


def overview_digest(manifest: dict[str, Any]) -> str:
    """Return the digest of an artifact for what shows it: of what it holds, what it says of itself, and which
    one it is, as its speed and device are shown, too."""
    return digest(
        {
            "content": content_digest(manifest),
            "about": manifest["facts"].get(ABOUT),
            "card": manifest["outputs"].get(CARD),
            "identity": manifest["identity"],
        }
    )
