"""How a cell answers in held-out dialogues: evaluation.json, documents.parquet and answers.jsonl.

A fine-tuned cell reads a dialogue by the chat template that it was taught with, any other by the template
`plain`. Of all validation and test dialogues it is measured how likely the true answers are, of some test
dialogues how near the cell's own answers come to them. Validation figures are there to choose by. Before
anything is scored, the tokens of each answer are spelled out: they must be its bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.metrics import ratio
from gptgrid.model.device import describe_device, prepare_device
from gptgrid.model.load import load_model, read_recipe
from gptgrid.model.memory import rows_that_fit
from gptgrid.model.score import default_stride
from gptgrid.seeds import spread
from gptgrid.stages.evaluate.answers import CHARACTERS, WORDS, ask, figures_of
from gptgrid.stages.evaluate.likelihood import score_texts
from gptgrid.stages.evaluate.tasks import DIVERGED
from gptgrid.stages.evaluate.turns import Dialogue, Reader
from gptgrid.text.chat_template import PLAIN, Message
from gptgrid.text.dialogues import read_dialogues
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.conversation import Conversations, conversations_of
from gptgrid.tokens.document_scores import nats_column, write_document_scores

PORTION = 1024
"""Dialogues in memory at once; the more, the more alike in length are texts that are scored together."""
DEFINITIONS = {
    "nats_per_byte": "Nats of the tokens of all answers, each with the mark that ends it, over the UTF-8 "
    "bytes of what the answers say. Each token is predicted from all that stands before it in its dialogue.",
    "content_nats_per_byte": "The same without the marks, which are of another kind in each template. A "
    "token that holds the end of what an answer says and the beginning of its mark counts whole, so that the "
    "figure may be a little high.",
    "context": "A dialogue that is longer than the context of {context} tokens loses its oldest turns, one "
    "by one, until the rest fits; its system message and the question of the answer stay. A single turn that "
    "is still longer is scored in windows of the context that start every {stride} tokens.",
    "asked": "The last answer of each dialogue that was drawn, the same dialogues for every cell, as the "
    "cell writes it after the turns from which the true answer is predicted: greedy, at most {most} tokens.",
    "exact": "Share of the short answers that are the reference letter by letter, but for blanks at both "
    f"ends. Short is a reference of one line and at most {WORDS} words, or at most {CHARACTERS} characters "
    "where some are of a script without blanks. low and high: 95 % (Wilson).",
    "unreachable": "Asked dialogues whose reference holds the text that ends answers in the template of the "
    "cell, such as a line feed in `plain`: no answer can be all of it, so that chrf is lower. 0 where a "
    "mark ends answers.",
    "chrf": "Of all answers that were asked for, 0 to 100; sacrebleu, with its signature.",
}
"""Figure → what evaluation.json says of it."""


def evaluate_dialogues(job: Job) -> dict[str, Any]:
    """Write evaluation.json, documents.parquet and answers.jsonl; return the headline figures as facts.

    Raises:
        UserError: memory does not suffice, a split has no dialogue, the tokens of an answer are not its
            bytes, or a likelihood of a training that did not diverge is no number.
    """
    device = prepare_device(job.run.device, 1, job.run.cells_per_gpu)
    recipe, codec = read_recipe(job.inputs["train"]), read_codec(job.inputs["train"])
    context = recipe["model"]["context"]
    taught = conversations_of(recipe, codec)
    reader = Reader(taught or Conversations(codec, PLAIN), context)
    config, vocab_size = namespace(recipe["model"]), recipe["vocab_size"]
    rows = rows_that_fit(config, vocab_size, job.config.documents, device)
    module = load_model(job.inputs["train"], device, job.config.use)
    diverged = job.manifest("train")["facts"]["status"] == "diverged"
    threads = job.threads if device.type == "cpu" else 1
    given = {split: read_dialogues(job.inputs["dialogues"], split) for split in ("valid", "test")}
    scored: dict[str, list[Dialogue]] = {}
    for split, dialogues in given.items():
        with job.timing(split):
            scored[split] = list(score_dialogues(module, reader, dialogues, split, threads))
    found = {split: likelihood_of(dialogues, split, diverged) for split, dialogues in scored.items()}
    known = found["test"]["nats"] is not None
    with job.timing("answers"):
        drawn = sorted(spread(len(given["test"]))[: job.config.documents].tolist()) if known else []
        asked = [scored["test"][number] for number in drawn]
        answers = ask(module, reader, asked, job.config.max_new_tokens, rows)
    for row in answers:
        row["nats"] = scored["test"][row["dialogue"]].last_nats
    write_answers(job, answers)
    figures = figures_of(answers)
    write_document_scores(job.folder, {split: columns_of(dialogues) for split, dialogues in scored.items()})
    job.provenance["device"] = describe_device(device)
    results = {
        **found["test"],
        "valid": found["valid"],
        "asked": figures,
        "template": "plain" if taught is None else "chat",
        "weights": job.config.use,
        "reason": None if known else DIVERGED,
        "definitions": {
            name: text.format(context=context, stride=default_stride(context), most=job.config.max_new_tokens)
            for name, text in DEFINITIONS.items()
        },
    }
    (job.folder / "evaluation.json").write_text(
        json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    likelihood = {key: found["test"][key] for key in ("nats_per_byte", "content_nats_per_byte")}
    return {**likelihood, "val_nats_per_byte": found["valid"]["nats_per_byte"], **figures}


def score_dialogues(
    module: nn.Module,
    reader: Reader,
    dialogues: Sequence[Sequence[Message]],
    split: str,
    threads: int = 1,
) -> Iterator[Dialogue]:
    """Yield what the true answers of dialogues take, without their texts.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size), with dropout off.
        reader: how it reads them.
        dialogues: of a split.
        split: its name, for messages.
        threads: batches at a time; no figure depends on it.
    """
    for first in range(0, len(dialogues), PORTION):
        portion = [
            reader.read(messages, number, split)
            for number, messages in enumerate(dialogues[first : first + PORTION], first)
        ]
        texts = [text for dialogue in portion for text in dialogue.texts]
        stride = default_stride(reader.context)
        scores = iter(score_texts(module, [text.ids for text in texts], reader.context, stride, threads))
        for dialogue in portion:
            for text in dialogue.texts:
                nats, _ = next(scores)
                for start, stop, content in text.spans:
                    own = nats[start - 1 : stop - 1]
                    dialogue.last_nats = float(own.sum())
                    dialogue.tokens += stop - start
                    dialogue.nats += dialogue.last_nats
                    dialogue.content_nats += float(own[content].sum())
            dialogue.texts = []
            yield dialogue


def columns_of(dialogues: Sequence[Dialogue]) -> dict[str, list[int] | list[float]]:
    """Return the columns of documents.parquet, for which each dialogue is a document."""
    return {
        "document": [dialogue.number for dialogue in dialogues],
        "tokens": [dialogue.tokens for dialogue in dialogues],
        "bytes": [dialogue.bytes for dialogue in dialogues],
        nats_column("answers"): [dialogue.nats for dialogue in dialogues],
        nats_column("contents"): [dialogue.content_nats for dialogue in dialogues],
    }


def likelihood_of(dialogues: Sequence[Dialogue], split: str, diverged: bool) -> dict[str, Any]:
    """Return what evaluation.json says of the true answers of a split.

    Raises:
        UserError: there are none, or their likelihood is no number though the training did not diverge.
    """
    if not dialogues:
        raise UserError(
            f"the {split} split has no dialogue to score; give the entry of `dialogues` a larger share "
            f"for it (split: {{{split}: 0.1}}), or more dialogues"
        )
    nats = math.fsum(dialogue.nats for dialogue in dialogues)
    content = math.fsum(dialogue.content_nats for dialogue in dialogues)
    if not math.isfinite(nats) and not diverged:
        raise UserError(
            f"the nats of the {split} answers are {nats}: the weights give no probabilities; lower the "
            "learning rate and train again"
        )
    size = sum(dialogue.bytes for dialogue in dialogues)
    known = math.isfinite(nats)
    return {
        "dialogues": len(dialogues),
        "answers": sum(dialogue.answers for dialogue in dialogues),
        "bytes": size,
        "tokens": sum(dialogue.tokens for dialogue in dialogues),
        "nats": nats if known else None,
        "nats_per_byte": ratio(nats, size) if known else None,
        "content_nats": content if known else None,
        "content_nats_per_byte": ratio(content, size) if known else None,
        "cut": sum(dialogue.cut for dialogue in dialogues),
        "windows": sum(dialogue.windows for dialogue in dialogues),
    }


def write_answers(job: Job, answers: Sequence[dict[str, Any]]) -> None:
    """Write answers.jsonl; of private dialogues without any text."""
    hidden = ("messages", "reference", "answer") if job.config.private else ()
    with (job.folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        for answer in answers:
            row = {key: value for key, value in answer.items() if key not in hidden}
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
