"""How good a cell is, by which convention: what its evaluations say of the weights that are exported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gptgrid.inference.export.loaded import Loaded
from gptgrid.inference.export.origins import made_from
from gptgrid.model.load import WEIGHTS
from gptgrid.stages.corpus.preparing.cards import bullets, code, table
from gptgrid.words import counted

TEXT = {
    "test_loss": "nats per token",
    "perplexity": "perplexity",
    "bpb": "bits per byte",
    "word_perplexity": "word perplexity",
}
"""Key of evaluation.json of a text → what it is."""


def figure_sections(loaded: Loaded) -> Iterator[str]:
    """Yield the figures of the test splits, of tasks and of dialogues, as markdown."""
    folder = loaded.folder.parent
    text = evaluation_of(loaded, folder / "evaluate")
    dialogues = {path.name: evaluation_of(loaded, path) for path in sorted((folder / "dialogues").glob("*"))}
    answered = {name: found for name, found in dialogues.items() if found}
    if text is None and not answered:
        yield "No evaluation of these weights lies beside them."
    if text:
        yield from text_sections(text, split_of(loaded))
        yield from task_sections(text.get("tasks") or {})
    if answered:
        yield from dialogue_sections(answered)


def evaluation_of(loaded: Loaded, folder: Path) -> dict[str, Any] | None:
    """Return evaluation.json in a folder; None if there is none of these very weights."""
    manifest = made_from(loaded.folder, folder)
    if manifest is None or WEIGHTS[manifest["config"]["use"]] != loaded.file:
        return None
    return json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))


def split_of(loaded: Loaded) -> str:
    """Return which text the figures are of."""
    if loaded.imported:
        return "the test split of a text from which it did not learn here"
    return f"the test split{' of the text that its base was trained on' if loaded.fine_tuned else ''}"


def text_sections(found: dict[str, Any], split: str) -> Iterator[str]:
    """Yield how well the weights predict a text, by each convention.

    Args:
        found: evaluation.json.
        split: which it is.
    """
    conventions = [name for name, value in found.items() if isinstance(value, dict) and "definition" in value]
    yield f"On {split}, {counted(found['documents'], 'document')} of {size_of(found)}:"
    yield table(
        ["convention", *TEXT.values()],
        [[name, *(number(found[name].get(key)) for key in TEXT)] for name in conventions],
    )
    yield bullets(f"{name}: {found[name]['definition']}" for name in conventions)


def task_sections(tasks: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield how many items of tasks the weights have right."""
    if not tasks:
        return
    yield "On tasks:"
    yield table(
        ["task", "format", "items", "accuracy", "longer_than_context"],
        [
            [name, found["format"], found["items"], share(found, "accuracy"), found["longer_than_context"]]
            for name, found in tasks.items()
        ],
    )
    definitions = {found["format"]: found["definition"] for found in tasks.values()}
    yield bullets(f"{format}: {definition}" for format, definition in definitions.items())


def dialogue_sections(answered: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield how the weights answer held-out dialogues.

    Args:
        answered: name of the dialogues → evaluation.json.
    """
    first = next(iter(answered.values()))
    form = "its chat template" if first["template"] == "chat" else "plain lines, for it has no chat template"
    yield f"On the test split of dialogues, which it reads in {form}:"
    yield table(
        [
            *("dialogues", "asked", "short", "unreachable", "exact", "chrf"),
            *("nats_per_byte", "content_nats_per_byte"),
        ],
        [
            [
                code(name),
                *(found["asked"][key] for key in ("asked", "items", "unreachable")),
                share(found["asked"], "exact", "exact_"),
                number(found["asked"]["chrf"]),
                *(number(found[key]) for key in ("nats_per_byte", "content_nats_per_byte")),
            ]
            for name, found in answered.items()
        ],
    )
    yield bullets(f"{name}: {definition}" for name, definition in first["definitions"].items())
    if signature := first["asked"]["chrf_signature"]:
        yield f"Signature of chrf: {code(signature)}."


def size_of(found: dict[str, Any]) -> str:
    """Return how much text was scored."""
    size = found.get("bytes")
    return f"{found['scored_tokens']:,} tokens" if size is None else f"{size:,} bytes"


def number(value: float | None) -> str | None:
    """Return a figure for people."""
    return None if value is None else f"{value:.4f}"


def share(found: dict[str, Any], key: str, prefix: str = "") -> str | None:
    """Return a share with its interval for people, in percent.

    Args:
        found: has it, and its ends.
        key: of the share.
        prefix: of the names of the ends.
    """
    if found[key] is None:
        return None
    low, high = (found[f"{prefix}{end}"] for end in ("low", "high"))
    return f"{found[key]:.1%} ({low:.1%} to {high:.1%})"
