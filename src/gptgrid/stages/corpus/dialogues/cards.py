"""The data card of dialogues, and what a reader of figures on them must know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from gptgrid.stages.corpus.preparing.cards import bullets, code, opening, table
from gptgrid.stages.corpus.preparing.cautions import NAMES, copied_files, lost_characters
from gptgrid.stages.corpus.preparing.doubts import reading_doubts
from gptgrid.stages.corpus.preparing.split import misses
from gptgrid.words import counted

FIELDS = 30
"""Names of fields in a line."""
SAME_QUESTIONS = 0.01
"""Share of a split's dialogues whose question stands in the training split that is said."""


def cautions(about: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence on each thing that makes figures on dialogues doubtful; none quotes them."""
    asked, found = (about.get("split", {}).get(key, {}) for key in ("asked", "dialogues"))
    if any(misses(found[name], share) for name, share in asked.items()):
        shares = ", ".join(f"{name} {found[name]:.1%} (asked: {share:.1%})" for name, share in asked.items())
        yield f"the splits have other shares of the dialogues than were asked for: {shares}; give more"
    yield from copied_files(about["source"])
    yield from lost_characters(about)
    yield from reading_doubts(about["source"])
    for pair, same in about["same_questions"].items():
        if same["share"] >= SAME_QUESTIONS:
            split, other = (NAMES[name] for name in pair.split(" in "))
            yield (
                f"{same['share']:.2%} of the dialogues of the {split} split ({same['dialogues']:,}) ask what "
                f"one of the {other} split asks: figures on them are not those on new questions; give other "
                "files, or leave `valid` and `test` out: what is cut off asks nothing that training asks"
            )


def render(facts: dict[str, Any], about: dict[str, Any]) -> str:
    """Return the card as markdown, with the front matter of data cards on the Hugging Face hub."""
    columns = ["dialogues", "turns", "answers", "bytes", "answer_bytes", "longest"]
    sections = [
        *opening(about, "These dialogues are private: none of their text is shown here."),
        "## Dialogues",
        table(
            ["split", *columns[:4], "bytes of answers", "bytes of the longest"],
            [[split, *(counts[key] for key in columns)] for split, counts in facts["splits"].items()],
        ),
        bullets(format_lines(about["source"])),
        split_line(about),
        f"Letters at the start of the training split: {scripts(about)}.",
        "## What was left out",
        bullets(left_out_lines(about["left_out"])) or "Nothing.",
        "## Questions in two splits",
        bullets(
            f"{pair}: {same['dialogues']:,} dialogues ({same['share']:.2%}) ask the same"
            for pair, same in about["same_questions"].items()
        ),
    ]
    if about["examples"]:
        sections.append("## Examples")
    for messages in about["examples"]:
        sections.append("\n".join(f"    {message['role']}: {message['content']}" for message in messages))
    return "\n\n".join(section for section in sections if section) + "\n"


def format_lines(source: dict[str, Any]) -> Iterator[str]:
    """Yield in which formats the files have their dialogues, and what of their records is not read."""
    files = source.get("files", ())
    for name, number in sorted(sum((Counter(file["dialogue_formats"]) for file in files), Counter()).items()):
        yield f"the format {name}: {counted(number, 'file')}"
    if unread := unread_text(files):
        yield f"not read of the records: {unread}"


def unread_text(files: Sequence[dict[str, Any]]) -> str:
    """Return which fields of records are not read, and of how many records; nothing where there are none.

    Args:
        files: facts of each.
    """
    if hidden := max((file.get("unread_fields", 0) for file in files), default=0):
        return counted(hidden, "field")
    unread = sum((Counter(file.get("unread", {})) for file in files), Counter())
    named = [f"{code(field)} (in {number:,} of them)" for field, number in unread.items()]
    return ", ".join([*named[:FIELDS], *["…"][: len(named) > FIELDS]])


def split_line(about: dict[str, Any]) -> str:
    """Return how dialogues were cut into splits, and what came of it."""
    if "split" not in about:
        return ""
    asked, found = about["split"]["asked"], about["split"]["dialogues"]
    shares = "; ".join(
        f"{name} {share:.1%} asked, {found[name]:.1%} came out" for name, share in asked.items()
    )
    return f"Dialogues were drawn by what they ask: {shares}."


def scripts(about: dict[str, Any]) -> str:
    """Return the writing systems of the dialogues, and their shares."""
    return ", ".join(f"{script} {share:.1%}" for script, share in about["scripts"].items()) or "none"


def left_out_lines(left_out: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield what was left out, and why."""
    for reason, number in left_out["dialogues"].items():
        yield f"dialogues {reason}: {number:,}"
    for reason, number in left_out["messages"].items():
        yield f"{reason}: {number:,}"
