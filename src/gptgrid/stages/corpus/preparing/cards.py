"""The data card of a corpus: what it holds, where it comes from, what was done to it."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.stages.corpus.preparing.writing import SplitFiles
from gptgrid.text.documents import first_characters, read_documents
from gptgrid.text.writing_systems import count_scripts

SAMPLE = 2**20
"""Characters of the training split, from its start, whose scripts are counted."""
EXAMPLES, EXCERPT = 3, 300


def describe_documents(folder: Path, splits: dict[str, SplitFiles], private: bool) -> dict[str, Any]:
    """Return what is worth knowing about the documents beside their number."""
    beginning = list(first_characters(read_documents(folder, "train"), SAMPLE))
    step = max(1, len(beginning) // EXAMPLES)
    return {
        "lengths": {name: split.quantiles() for name, split in splits.items()},
        "scripts": count_scripts("".join(beginning)[:SAMPLE]),
        "examples": [] if private else [text[:EXCERPT] for text in beginning[::step][:EXAMPLES]],
    }


def render(config: SimpleNamespace, facts: dict[str, Any], about: dict[str, Any]) -> str:
    """Return the card as markdown, with the front matter of data cards on the Hugging Face hub."""
    front = [f"license: {json.dumps(about['license'], ensure_ascii=False)}"] if about["license"] else []
    private = ["This corpus is private: none of its text is shown here."] if about["private"] else []
    sections = [
        "\n".join(["---", *front, "---"]),
        "# Data card",
        *private,
        "## Source",
        "\n".join(map(source_line, about["source"].get("files", [about["source"]]))),
        f"Licence: {about['license'] or 'not stated'}",
        "## Documents",
        table(
            ["split", "documents", "characters", "bytes", "words"],
            [
                [split, *(counts[key] for key in ("documents", "characters", "bytes", "words"))]
                for split, counts in facts["splits"].items()
            ],
        ),
    ]
    if "lengths" in about:
        sections += text_sections(config, about)
    return "\n\n".join(sections) + "\n"


def source_line(file: dict[str, Any]) -> str:
    """Return what a corpus was read from, as an item of a list."""
    if "sha256" not in file:
        return f"- {file['name']}, seed {file['seed']}"
    part = "" if file["part"] == "all" else f" ({file['part']})"
    encodings = "".join(f", {encoding}" for encoding in file.get("encodings", ()))
    guessed = " (a guess)" if file.get("guessed") else ""
    replaced = f", {file['replaced']:,} times U+FFFD for what did not fit" if file.get("replaced") else ""
    size = f"{file['bytes']:,} bytes, sha256 `{file['sha256']}`"
    return f"- `{file['name']}`{part}: {size}{encodings}{guessed}{replaced}"


def text_sections(config: SimpleNamespace, about: dict[str, Any]) -> Iterator[str]:
    """Yield what is known of texts, and not of token ids."""
    yield f"A document is: `{config.document or 'a paragraph, or a record'}`. Characters of a document:"
    quantiles = ["split", "shortest", "5 %", "25 %", "half", "75 %", "95 %", "longest"]
    yield table(quantiles, [[split, *lengths] for split, lengths in about["lengths"].items()])
    scripts = ", ".join(f"{script} {share:.1%}" for script, share in about["scripts"].items())
    yield f"Letters at the start of the training split: {scripts or 'none'}."
    if "floor_bpb" in about:
        floor = about["floor_bpb"]
        yield (
            "The probability of every document is known: no model can need less than "
            f"{floor['valid']:.4f} bits per byte on the validation split and {floor['test']:.4f} on the test."
        )
    yield "## What was dropped"
    yield "\n".join(dropped_lines(about)) or "Nothing."
    yield "## Leakage"
    leakage = about["leakage"]
    if leakage["compared"]:
        yield (
            f"{leakage['share']:.2%} of the test's {leakage['grams']} stand in the training split "
            f"({leakage['compared']:,} compared). {leakage['documents']:.2%} of its documents do as a whole."
        )
    else:
        yield (
            f"The documents of the test are too short for {leakage['grams']}. {leakage['documents']:.2%} of "
            "them stand in the training split as a whole."
        )
    if about["examples"]:
        yield "## Examples"
    for text in about["examples"]:
        yield "\n".join(f"    {line}" for line in text.splitlines())


def dropped_lines(about: dict[str, Any]) -> Iterator[str]:
    """Yield each reason for which documents were dropped, as an item of a list."""
    for reason, number in about["dropped"].items():
        example = about["dropped_examples"].get(reason, "").strip()
        shown = f", the first: {json.dumps(example, ensure_ascii=False)}" if example else ""
        yield f"- {reason}: {number:,}{shown}"


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Return a markdown table: names on the left, numbers on the right."""
    cells = [head, ["---", *["---:"] * (len(head) - 1)], *([shown(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def shown(value: Any) -> str:
    """Return a name or a number for people."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else value
