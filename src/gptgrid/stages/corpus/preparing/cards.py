"""The data card of a corpus: what it holds, where it comes from, what was done to it."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.stages.corpus.preparing.writing import SplitFiles
from gptgrid.text.documents import first_characters, stream_documents, why_no_words
from gptgrid.text.readable import printable
from gptgrid.text.writing_systems import count_scripts
from gptgrid.words import counted

SAMPLE = 2**20
"""Characters of the training split, from its start, whose scripts are counted."""
EXAMPLES, EXCERPT = 3, 300
LISTED = 12
"""Files of a source that stand in the open; more are folded."""
NO_LICENSE = (
    "not stated. Find out before you hand on the text, or what was made from it, and set `license` in the "
    "configuration."
)
DOCUMENTS = {
    "whole": "a whole file",
    "line": "a line",
    "blank-line": "a paragraph, as blank lines separate them",
    "record": "a record",
}


def describe_documents(folder: Path, splits: dict[str, SplitFiles], private: bool) -> dict[str, Any]:
    """Return what is worth knowing about the documents beside their number."""
    beginning = list(first_characters(stream_documents(folder, "train"), SAMPLE))
    step = max(1, len(beginning) // EXAMPLES)
    return {
        "lengths": {name: split.quantiles() for name, split in splits.items()},
        "scripts": count_scripts("".join(beginning)[:SAMPLE]),
        "examples": [] if private else [text[:EXCERPT] for text in beginning[::step][:EXAMPLES]],
    }


def render(config: SimpleNamespace, facts: dict[str, Any], about: dict[str, Any]) -> str:
    """Return the card as markdown, with the front matter of data cards on the Hugging Face hub."""
    sections = [
        *opening(about, "This corpus is private: none of its text is shown here."),
        "## Documents",
        table(
            ["split", "documents", "characters", "bytes", "words"],
            [
                [split, *(counts[key] for key in ("documents", "characters", "bytes")), words(counts)]
                for split, counts in facts["splits"].items()
            ],
        ),
    ]
    if "split" in about:
        sections.append(split_line(about["split"]))
    if "lengths" in about:
        sections += text_sections(config, about)
    sections += ["## Text in two splits", bullets(leakage_lines(about["leakage"]))]
    if about.get("examples"):
        sections.append("## Examples")
        sections += ["\n".join(f"    {line}" for line in text.splitlines()) for text in about["examples"]]
    return "\n\n".join(sections) + "\n"


def opening(about: dict[str, Any], private: str) -> Iterator[str]:
    """Yield how a card begins: with doubts, the source and the licence.

    Args:
        about: `license`, `private`, `cautions` and `source`.
        private: what to say where the text is private.
    """
    license = json.dumps(about["license"]) if about["license"] else "unknown"
    yield f"---\nlicense: {license}\n---"
    yield "# Data card"
    if about["private"]:
        yield private
    if cautions := bullets(about["cautions"]):
        yield f"## Read this first\n\n{cautions}"
    yield "## Source"
    yield bullets(source_lines(about["source"]))
    yield from folded_files(about["source"])
    yield f"Licence: {printable(about['license'] or NO_LICENSE)}"


def source_lines(source: dict[str, Any]) -> Iterator[str]:
    """Yield what a corpus was read from, and what was left out; of many files only their number and size."""
    files = source.get("files", ())
    if "files" not in source:
        yield f"{printable(source['name'])}, seed {source['seed']}"
    elif len(files) > LISTED:
        yield f"{len(files):,} files, {sum(file['bytes'] for file in files):,} bytes"
    else:
        yield from map(file_line, files)
    for reason, number in source.get("left_out", {}).items():
        yield f"left out: {number:,} {reason}"


def folded_files(source: dict[str, Any]) -> Iterator[str]:
    """Yield the files that a corpus was read from if they are many, as a list that opens at a click."""
    files = source.get("files", ())
    if len(files) > LISTED:
        yield f"<details>\n<summary>The files</summary>\n\n{bullets(map(file_line, files))}\n\n</details>"


def file_line(file: dict[str, Any]) -> str:
    """Return what is known of a file."""
    part = "" if file["part"] == "all" else f" ({file['part']})"
    return f"{code(file['name'])}{part}: {', '.join(file_details(file))}"


def file_details(file: dict[str, Any]) -> Iterator[str]:
    """Yield how large a file is, and how it was read; what was changed by that stands here, too."""
    yield f"{file['bytes']:,} bytes"
    yield f"sha256 `{file['sha256']}`"
    if "field" in file:
        yield f"the field {code(file['field'])} of each record"
    for encoding in file.get("encodings", ()):
        yield f"{encoding}{' (a guess)' if file.get('guessed') else ''}"
    for quotes in file.get("quotes", ()):
        yield f"quotes around fields {'taken off' if quotes == 'quoted' else 'left, as part of the texts'}"
    if marks := file.get("marks"):
        yield "a byte order mark, taken off" if marks == 1 else f"{marks:,} byte order marks, taken off"
    for end, number in file.get("line_ends", {}).items():
        if end != "LF":
            yield f"{number:,} line ends {end}, made LF"
    if file.get("left_out"):
        yield f"{file['left_out']:,} files in it left out"
    if file.get("replaced"):
        yield f"{file['replaced']:,} times U+FFFD for what did not fit"


def document_is(config: SimpleNamespace, files: list[dict[str, Any]]) -> str:
    """Return what one document is, in words."""
    if config.source == "builtin":
        return "a text as the generator makes it"
    kinds = {config.document}
    if config.document is None:
        # The hub's files are all of one format; other sources count what they found.
        formats = {name for file in files for name in file.get("formats", ["record"])}
        kinds = {"blank-line" if name == "text" else "record" for name in formats}
    return " or ".join(DOCUMENTS.get(kind) or between(kind) for kind in sorted(kinds))


def between(delimiter: str) -> str:
    """Return what a document is that ends at a delimiter, in words."""
    return f"what stands between two {json.dumps(delimiter, ensure_ascii=False)}, which are left out"


def split_line(split: dict[str, Any]) -> str:
    """Return how documents were cut into splits, and what came of it."""
    way = "drawn by document" if split["by"] == "document" else "cut in the order of the text"
    shares = "; ".join(
        f"{name} {asked:.1%} asked, {split['size'][name]:.1%} of the size and "
        f"{split['documents'][name]:.1%} of the documents came out"
        for name, asked in split["asked"].items()
    )
    return f"The splits were {way}: {shares}."


def leakage_lines(leakage: dict[str, Any]) -> Iterator[str]:
    """Yield what of a split stands in another, or twice in itself."""
    for pair, found in leakage["documents"].items():
        yield f"{pair}: {counted(found['documents'], 'document')} as wholes ({found['share']:.2%})"
    for split, found in leakage["repeats"].items():
        yield f"{split} in itself: {counted(found['documents'], 'document')} as wholes ({found['share']:.2%})"
    for pair, found in leakage.get("near_copies", {}).items():
        yield (
            f"{pair}: {found['share']:.2%} of the {found['documents']:,} documents that are long enough "
            f"({found['size_share']:.2%} of the bytes of all) with at least half of each in one document, or "
            "nearly all in several"
            if found["documents"]
            else f"{pair}: its documents are too short to be found in parts"
        )
    for split, prefix in (("test", ""), ("valid", "valid_")):
        if leakage.get(f"{prefix}compared"):
            compared = leakage[f"{prefix}compared"]
            yield f"{split} in train: {leakage[f'{prefix}share']:.2%} of {compared:,} {leakage['grams']}"
        elif "grams" in leakage:
            yield f"{split} in train: its documents are too short for {leakage['grams']}"


def text_sections(config: SimpleNamespace, about: dict[str, Any]) -> Iterator[str]:
    """Yield what is known of texts, and not of token ids."""
    yield f"A document is {document_is(config, about['source'].get('files', []))}. Characters of a document:"
    quantiles = ["split", "shortest", "5 %", "25 %", "half", "75 %", "95 %", "longest"]
    yield table(quantiles, [[split, *lengths] for split, lengths in about["lengths"].items()])
    scripts = ", ".join(f"{script} {share:.1%}" for script, share in about["scripts"].items())
    yield f"Letters at the start of the training split: {scripts or 'none'}."
    if "generator_bpb" in about:
        needed = about["generator_bpb"]
        yield (
            "The probability of every document is known. By it the validation split takes "
            f"{needed['valid']:.4f} bits per byte and the test {needed['test']:.4f}. On average over texts "
            "of this kind no model can need fewer bits; on the documents of one split it may, by chance."
        )
    yield "## What was dropped"
    yield bullets(dropped_lines(about)) or "Nothing."


def words(counts: dict[str, Any]) -> int | None:
    """Return the words of a split; None where blanks do not separate them."""
    return None if why_no_words(counts) else counts["words"]


def dropped_lines(about: dict[str, Any]) -> Iterator[str]:
    """Yield each reason for which documents were dropped."""
    for reason, number in about["dropped"].items():
        example = about["dropped_examples"].get(reason, "").strip()
        shown = f", the first: {json.dumps(example, ensure_ascii=False)}" if example else ""
        yield f"{reason}: {number:,}{shown}"


def code(name: str) -> str:
    """Return a name as markdown shows it letter by letter, on one line."""
    name = printable(name)
    return f"`` {name} ``" if "`" in name else f"`{name}`"


def bullets(lines: Iterable[str]) -> str:
    """Return a markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Return a markdown table: names on the left, numbers on the right."""
    cells = [head, ["---", *["---:"] * (len(head) - 1)], *([shown(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def shown(value: Any) -> str:
    """Return a name or a number for people."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else value
