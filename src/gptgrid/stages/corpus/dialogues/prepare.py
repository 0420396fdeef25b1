"""The way of dialogues through the stage: records → dialogues in order → without copies → split → described.

As texts do, dialogues go by in two streams, source → scratch file → splits.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import ABOUT, CARD
from gptgrid.artifact.job import Job
from gptgrid.artifact.variants import Variants
from gptgrid.stages.corpus.dialogues.cards import cautions, render
from gptgrid.stages.corpus.dialogues.order import LeftOut
from gptgrid.stages.corpus.dialogues.sources import SOURCES
from gptgrid.stages.corpus.dialogues.splits import Selection, SplitFile, StagedDialogues, write_part
from gptgrid.stages.corpus.prepare import READING_ORDER, cut_splits, refuse_lost
from gptgrid.stages.corpus.preparing.cards import SAMPLE
from gptgrid.stages.corpus.preparing.leakage import PAIRS
from gptgrid.stages.corpus.preparing.split import hash_key
from gptgrid.stages.corpus.reading.fields import ListedError
from gptgrid.stages.corpus.sources.source import Source
from gptgrid.text.dialogues import read_dialogue_file
from gptgrid.text.documents import SPLITS, first_characters
from gptgrid.text.readable import excerpt
from gptgrid.text.writing_systems import count_scripts
from gptgrid.words import counted

EXAMPLES, MESSAGES, EXCERPT = 3, 4, 300
"""Dialogues that the card shows, messages of each, and characters of each message."""


def prepare_dialogues(job: Job) -> dict[str, Any]:
    """Write `{train,valid,test}-00000.parquet` and the data card into the job's folder; return the facts.

    Raises:
        UserError: the source cannot be read, a record is no dialogue, or a split would have none.
    """
    config, left_out = job.config, LeftOut()
    with job.timing("read"):
        source = SOURCES[config.source](job, left_out)
        selection = Selection(left_out, config.system)
        parts = stage_dialogues(job, source, selection)
        refuse_lost(selection.lost_share)
    with job.timing("write"):
        files = write_splits(job, parts)
    facts = {"splits": {name: files[name].counts for name in SPLITS}}
    with job.timing("describe"):
        about = describe(job, source, selection, files, list(parts))
    (job.folder / CARD).write_text(render(facts, about), encoding="utf-8")
    return {**facts, ABOUT: about}


DIALOGUES = Variants(
    {
        "auto": prepare_dialogues,
        "messages": prepare_dialogues,
        "instruction": prepare_dialogues,
        "question": prepare_dialogues,
        "kdconv": prepare_dialogues,
    }
)
"""The key `format` of dialogues → what prepares them: Job → facts. A table, as what changes here is then no
reason to make a corpus of texts again."""


def stage_dialogues(job: Job, source: Source, selection: Selection) -> dict[str, StagedDialogues]:
    """Read every part of a source.

    Raises:
        UserError: a part has no dialogues, or cannot be read.
    """
    config, parts = job.config, {}
    key = hash_key(config.split.seed)
    for part in READING_ORDER:
        if part in source.parts:
            kept = selection.kept(source.parts[part], part)
            path = job.scratch / f"{part}.parquet"
            try:
                parts[part] = StagedDialogues.write(path, kept, key)
            except ListedError as error:
                raise (UserError(error.unlisted) if config.private else error) from None
            if not len(parts[part].questions):
                refuse_empty(part, selection.left_out)
    return parts


def refuse_empty(part: str, left_out: LeftOut) -> None:
    """Raise a UserError that names the part of a source that has no dialogues."""
    subject = "there are" if part == "all" else f"the {part} files have"
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(left_out.dialogues.items()))
    dropped = f" (left out: {reasons})" if reasons else ""
    raise UserError(f"{subject} no dialogues left{dropped}; give questions with their answers")


def write_splits(job: Job, parts: dict[str, StagedDialogues]) -> dict[str, SplitFile]:
    """Write the dialogues of every part into the files of their splits.

    Raises:
        UserError: a split would have no dialogues.
    """
    config = job.config
    remedy = "raise `documents`" if config.source == "builtin" else "give more dialogues"
    with ExitStack() as stack:
        files: dict[str, SplitFile] = {}
        for part, staged in parts.items():
            names = [part] if part in ("valid", "test") else cut_splits(list(parts))
            shares = [getattr(config.split, name) for name in names[1:]]
            files |= write_part(stack, job.folder, staged, names, staged.cut(shares, remedy))
    for name in SPLITS:
        print(f"{name}: {counted(files[name].counts['dialogues'], 'dialogue')}", flush=True)
    return files


def describe(
    job: Job, source: Source, selection: Selection, files: dict[str, SplitFile], parts: list[str]
) -> dict[str, Any]:
    """Return what is worth knowing about dialogues that no later stage computes with."""
    config, left_out = job.config, selection.left_out
    about: dict[str, Any] = {
        "source": source.facts,
        "license": config.license or source.license,
        "private": config.private,
        "left_out": {
            "dialogues": dict(sorted(left_out.dialogues.items())),
            "messages": dict(sorted(left_out.messages.items())),
        },
        "same_questions": {
            f"{one} in {other}": files[one].same_questions(files[other]) for one, other in PAIRS
        },
    }
    if len(cut := cut_splits(parts)) > 1:
        total = sum(files[name].counts["dialogues"] for name in cut)
        asked = {name: getattr(config.split, name) for name in cut[1:]}
        about["split"] = {
            "asked": asked,
            "dialogues": {name: files[name].counts["dialogues"] / total for name in asked},
        }
    if selection.lost:
        about["lost"] = {"characters": selection.lost, "share": selection.lost_share}
    train = job.folder / "train-00000.parquet"
    contents = (message.content for messages in read_dialogue_file(train) for message in messages)
    about["scripts"] = count_scripts("".join(first_characters(contents, SAMPLE)))
    examples = [] if config.private else islice(read_dialogue_file(train), EXAMPLES)
    about["examples"] = [
        [
            {"role": message.role, "content": excerpt(message.content, EXCERPT)}
            for message in messages[:MESSAGES]
        ]
        for messages in examples
    ]
    about["cautions"] = list(cautions(about))
    for caution in about["cautions"]:
        print(f"warning: {caution}", flush=True)
    return about
