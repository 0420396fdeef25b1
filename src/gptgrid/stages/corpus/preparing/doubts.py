"""What is doubtful about how files were read: their encoding, and whether they are texts at all.

A sentence each, with the files, what was done, and what to do. None of them quotes the text.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from gptgrid.text.readable import printable

FILES_NAMED = 3


def files_with(fact: str, facts: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return what a fact of files counts → the files that have it.

    Args:
        fact: its name.
        facts: of a source.
    """
    found = defaultdict(list)
    for file in facts.get("files", ()):
        for value in file.get(fact, ()):
            found[value].append(file)
    return dict(found)


def reading_doubts(facts: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence on each thing that is doubtful about how the files of a source were read."""
    for pair, files in files_with("doubted_guesses", facts).items():
        encoding, rival = pair.split()
        yield (
            f"{named(files)}: read as {encoding}, a guess from few characters, which may be {rival}: set "
            "`encoding` to what it is"
        )
    for pair, files in files_with("doubted_encodings", facts).items():
        encoding, rival = pair.split()
        yield (
            f"{named(files)}: read as {encoding}, as `encoding` says, but the text looks like {rival}, in "
            "which its letters are others; look at the examples in the data card, or set `encoding: auto`"
        )
    for encoding, files in files_with("old_guesses", facts).items():
        yield (
            f"{named(files)}: read as {encoding}, a guess; other encodings of DOS and old Macs, which are "
            "not told apart, would pass for it; look at the examples in the data card, and set `encoding` to "
            "what it is"
        )
    for doubt, files in files_with("doubts", facts).items():
        yield f"{named(files)}: {doubt}"
    for kind, files in files_with("looks_like", facts).items():
        yield (
            f"{named(files)}: read as a text, but looks like {kind}, of which all is trained on, with what "
            f"stands around the texts; set `format: {kind}` and `field`, or `format: text` if it is meant"
        )
    for mark, files in files_with("end_marks", facts).items():
        number = sum(file["end_marks"][mark] for file in files)
        yield (
            f"{named(files)}: {mark} stands in the documents ({number:,} times) and is text there; set "
            f'`document: "{mark}"` to cut at it'
        )


def better_reading(facts: dict[str, Any]) -> str | None:
    """Return how to read files that are more documents than they were taken for; None if they are not."""
    if marks := files_with("end_marks", facts):
        return (
            "cut the text at its end marks (" + " or ".join(f'`document: "{mark}"`' for mark in marks) + ")"
        )
    if kinds := files_with("looks_like", facts):
        return "read it as what it is (" + " or ".join(f"`format: {kind}`" for kind in kinds) + ")"
    return None


def named(files: list[dict[str, Any]]) -> str:
    """Return the names of files, of many the first ones."""
    names = [printable(name) for name in dict.fromkeys(file["name"] for file in files)]
    more = f" and {len(names) - FILES_NAMED:,} more" if len(names) > FILES_NAMED else ""
    return ", ".join(names[:FILES_NAMED]) + more
