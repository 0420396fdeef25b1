"""What a reader of figures on a corpus must know: splits that are not what was asked for, or share text.

A sentence each, with what was found, how much, and what to do. None of them quotes the text.
"""

from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from gptgrid.stages.corpus.preparing.doubts import better_reading, named, reading_doubts
from gptgrid.stages.corpus.preparing.split import misses
from gptgrid.stages.corpus.preparing.writing import SplitFiles
from gptgrid.stages.corpus.sources.source import Source
from gptgrid.text.readable import printable

NAMES = {"train": "training", "valid": "validation", "test": "test"}
SHARED_DOCUMENTS = 0.01
"""Share of a split's bytes, in documents that stand in another split, that is said: headings and names of
speakers come back in every text. Of WikiText-2 by line they are 0.6 % of the bytes, and 13 % of the lines; of
Shakespeare by line 0.7 %."""
REPEATS = 0.1
"""Share of a split's bytes, in documents that stand earlier in it, that is said. Of Shakespeare by line they
are 7 % at most, for the names of the speakers."""
NEAR_COPIES = 0.03
"""Share of a split's bytes, in documents that are nearly copies of training documents, that is said. Of the
built-in tales they are 0.2 %, of WikiText-2 by line 0.7 %, of Shakespeare by line 1.4 %."""
LOST = 0.0001
"""Share of characters that are U+FFFD in the files that is said: large collections have a few."""
SHARED_PASSAGES = 0.5
"""Share of a split's passages in the training split that is said: texts of one kind, such as the built-in
tales, have phrases in common."""


def split_shares(config: SimpleNamespace, files: dict[str, SplitFiles], cut: list[str]) -> dict[str, Any]:
    """Return how the splits that were cut came out.

    Args:
        config: of the corpus.
        files: of all splits.
        cut: the names of the splits that were cut, `train` first.

    Returns:
        `by`, and split → share as `asked`, and as it came out by `documents` and by `size` (bytes, or ids).
    """
    documents = {name: len(files[name].lengths) for name in cut}
    sizes = {name: files[name].size for name in cut}
    asked = {name: getattr(config.split, name) for name in cut[1:]}
    return {
        "by": config.split.by,
        "asked": {"train": 1 - sum(asked.values()), **asked},
        "documents": {name: number / sum(documents.values()) for name, number in documents.items()},
        "size": {name: size / max(1, sum(sizes.values())) for name, size in sizes.items()},
    }


def cautions(config: SimpleNamespace, source: Source, about: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence on each thing that makes figures on the corpus doubtful.

    Args:
        config: of the corpus.
        source: that it was read from.
        about: what is known of it: `split`, `leakage`.
    """
    unit = "ids" if source.has_ids else "bytes"
    if "split" in about:
        asked, found = about["split"]["asked"], about["split"]["size"]
        if any(misses(found[name], share) for name, share in asked.items() if name != "train"):
            shares = ", ".join(
                f"{name} {found[name]:.1%} (asked: {share:.1%})" for name, share in asked.items()
            )
            todo = remedy(config, source)
            yield f"the splits have other shares of the {unit} than were asked for: {shares}; {todo}"
    yield from copied_files(about["source"])
    yield from lost_characters(about)
    yield from reading_doubts(about["source"])
    leakage = about["leakage"]
    for pair, overlap in leakage["documents"].items():
        if overlap["size_share"] >= SHARED_DOCUMENTS:
            split, other = (NAMES[name] for name in pair.split(" in "))
            yield (
                f"{overlap['share']:.2%} of the documents of the {split} split ({overlap['documents']:,}, "
                f"{overlap['size_share']:.2%} of its {unit}) stand in the {other} split, too: figures on "
                f"them are not those on new text; {remedy_for_copies(config, source)}"
            )
    for split, repeats in leakage["repeats"].items():
        if repeats["size_share"] >= REPEATS:
            yield (
                f"{repeats['share']:.2%} of the documents of the {NAMES[split]} split "
                f"({repeats['documents']:,}, {repeats['size_share']:.2%} of its {unit}) are copies of "
                "earlier ones in it: these count more than once in its figures, which are less certain than "
                f"they look; {remedy_for_copies(config, source)}"
            )
    for split, key in (("test", "share"), ("valid", "valid_share")):
        near = leakage.get("near_copies", {}).get(f"{split} in train", {"size_share": 0})
        if (leakage.get(key) or 0) >= SHARED_PASSAGES:
            yield (
                f"{leakage[key]:.2%} of the {leakage['grams']} of the {NAMES[split]} split are in the "
                f"training split too: figures on it say little about new text; {remedy_for_passages(config)}"
            )
        elif near["size_share"] - leakage["documents"][f"{split} in train"]["size_share"] >= NEAR_COPIES:
            yield (
                f"of {near['share']:.2%} of the documents of the {NAMES[split]} split that are long enough "
                f"({near['documents']:,} were compared; {near['size_share']:.2%} of the bytes), half or more "
                "stands in one training document, or nearly all in several: figures on them are not those on "
                f"new text; {remedy_for_near_copies(config)}"
            )


def copied_files(facts: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence on each file that was read twice, under different names."""
    names = defaultdict(dict)
    for file in facts.get("files", ()):
        names[file["part"], file["sha256"]][file["name"]] = None
    for same in names.values():
        if len(same) > 1:
            these = " and ".join(map(printable, same))
            yield f"{these} are the same file, whose text counts more than once; leave one"


def lost_characters(about: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence on what could not be read, here or when the text was saved."""
    if not (lost := about.get("lost")):
        return
    files = [file for file in about["source"].get("files", ()) if file.get("replaced")]
    if files or lost["share"] >= LOST:
        where = f"{named(files)}: bytes that do not fit the encoding" if files else "characters of the text"
        yield (
            f"{where} are U+FFFD in the documents ({lost['characters']:,} times, {lost['share']:.3%} of "
            "their characters): what stood there is lost; give the text as it was, or set `encoding` to what "
            "it is in"
        )


# ---------------------------------------------------------------------------------------- remedies


def remedy(config: SimpleNamespace, source: Source) -> str:
    """Return what to do where documents are too few, or too unlike in length, to be cut into splits."""
    ways = {
        "builtin": lambda: ["raise `documents`"],
        "random": lambda: ["raise `tokens`, or lower `document_tokens`"],
        "shards": lambda: ["give more ids" if config.eot is not None else "set `eot`, or give more ids"],
    }.get(config.source, lambda: finer_ways(config, source))()
    return ", or ".join(ways)


def finer_ways(config: SimpleNamespace, source: Source) -> Iterator[str]:
    """Yield what gives a text more documents, or needs fewer."""
    if better := better_reading(source.facts):
        yield better
    elif config.document != "line":
        finer = "`document: blank-line` or `line`" if config.document == "whole" else "`document: line`"
        yield f"cut the text finer ({finer})"
    if config.split.by == "document" or not source.continuous:
        whole = "" if config.document == "whole" else "`document: whole` and "
        yield f"cut also inside documents ({whole}`split: {{by: position}}`)"
    yield "give more text"


def remedy_for_copies(config: SimpleNamespace, source: Source) -> str:
    """Return what to do about documents in two splits."""
    if source.has_ids or config.clean.dedupe == "near":
        return "give other files"
    if config.clean.dedupe == "exact":
        return "set `clean: {dedupe: near}`, as they differ in case, blanks or marks of sentences"
    return (
        "set `clean: {dedupe: exact}`, or `near` for those that differ in case, blanks or marks of sentences"
    )


def remedy_for_near_copies(config: SimpleNamespace) -> str:
    """Return what to do about documents that are nearly those of the training split."""
    return (
        "lower `similarity` in `clean`, or give other files"
        if config.clean.dedupe == "near"
        else "set `clean: {dedupe: near}` with a `similarity` of 0.4 or less, or give other files"
    )


def remedy_for_passages(config: SimpleNamespace) -> str:
    """Return what to do about passages in two splits."""
    return (
        "give other files"
        if config.clean.dedupe == "near"
        else "set `clean: {dedupe: near}`, or give other files"
    )
