"""What samples are worth: how varied they are, how much of them is copied, how near they come to the truth.

The figures of each decoding are over all its samples. Those of true continuations stand beside them: a corpus
of near copies or templates makes high shares of copies without any fault of a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.sample.agreement import agreement, tokenizer_for
from gptgrid.stages.sample.copies import RUN, Copies, find_copies
from gptgrid.stages.sample.diversity import diversity, self_bleu
from gptgrid.stages.sample.prompts import Prompt, texts_of
from gptgrid.stages.sample.units import IDS, Unit
from gptgrid.text.documents import read_documents

UNKNOWN = "the texts that a checkpoint of others was trained on are not known"
NO_TRUTH = "the prompts have no true continuation, as those of `sampling.prompts: {from: test}` have"


@dataclass
class Sample:
    """A continuation of a prompt."""

    prompt: Prompt
    decoding: str
    number: int
    """Which of several of the same prompt, from 0."""
    text: str
    tokens: int | None = None
    """None for what no model wrote."""
    ended: bool | None = None
    """By itself, before the limit."""
    shown: bool = True
    """Whether passages of the training text may stand beside it."""
    copies: Copies | None = None
    """None where the training text is not known."""

    def row(self) -> dict[str, Any]:
        """Return its row of samples.jsonl."""
        copies, document = self.copies, self.prompt.document
        row = {
            "prompt": self.prompt.text,
            "decoding": self.decoding,
            "number": self.number,
            "text": self.text,
            "tokens": self.tokens,
            "ended": self.ended,
            "copied": copies and copies.share,
            "longest_copy": copies and copies.longest,
            "copied_from": copies and copies.document,
        }
        if self.shown and copies and copies.longest:
            row["passage"] = [copies.before, copies.span, copies.behind]
        return row if document is None else {**row, "document": document, "truth": self.prompt.truth}


@dataclass
class Figures:
    """Figures, and of those that are not defined the reasons."""

    values: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def lack(self, names: Sequence[str], reason: str) -> None:
        """Note that figures are not defined."""
        self.values |= dict.fromkeys(names)
        self.reasons |= dict.fromkeys(names, reason)


def measure(job: Job, samples: list[Sample], documents: list[Prompt], unit: Unit) -> dict[str, Any]:
    """Note what of each sample is copied; return the figures of all decodings.

    Args:
        job: with the corpus.
        samples: of all decodings.
        documents: of which the true continuations are what a fresh text has.
        unit: of the corpus.

    Returns:
        unit, run (units of a run), decodings (name → figures), truth (the figures of true continuations),
        signatures (figure → how sacrebleu measured it).
    """
    truths = [Sample(prompt, "truth", 0, prompt.truth) for prompt in documents]
    known = job.manifest("train")["facts"]["status"] != "imported"
    compared = [*samples, *truths] if known else truths
    training = texts_of(read_documents(job.inputs["corpus"], "train"))
    found = find_copies(training, [unit.after(one.prompt.text, one.text) for one in compared], unit)
    for one, copies in zip(compared, found, strict=True):
        one.copies = copies
    for one in samples:
        one.shown = not job.config.private
    tokenizer = tokenizer_for(unit)
    names = list(dict.fromkeys(one.decoding for one in samples))
    signatures: dict[str, str] = {}
    of_each = {
        name: figures([one for one in samples if one.decoding == name], unit, tokenizer, signatures)
        for name in names
    }
    return {
        "unit": unit.name,
        "run": RUN,
        "decodings": of_each,
        "truth": figures(truths, unit, tokenizer, signatures) if truths else None,
        "signatures": signatures,
    }


def figures(samples: list[Sample], unit: Unit, tokenizer: str, signatures: dict[str, str]) -> dict[str, Any]:
    """Return the figures of some samples, and `reasons` for those that are None.

    Args:
        samples: of one decoding, or true continuations.
        unit: of the corpus.
        tokenizer: of sacrebleu.
        signatures: gets the signatures of sacrebleu.
    """
    texts = [one.text for one in samples]
    split = [unit.after(one.prompt.text, one.text) for one in samples]
    written = all(one.tokens is not None for one in samples)
    found = Figures(
        {
            "samples": len(samples),
            "ended": sum(one.ended for one in samples) if written else None,
            "mean_tokens": fmean(one.tokens for one in samples) if written else None,
            "mean_bytes": None if unit == IDS else fmean(len(text.encode()) for text in texts),
        }
    )
    varied, reasons = diversity(split)
    against, lacking, signature = self_bleu(texts, tokenizer)
    found.values |= {**varied, **against}
    found.reasons |= {**reasons, **lacking}
    if signature:
        signatures["self_bleu"] = signature
    add_copies(found, [one.copies for one in samples])
    if written and samples[0].prompt.truth is not None:
        near, how = agreement(texts, [one.prompt.truth for one in samples], tokenizer)
        found.values |= near
        signatures |= how
    elif written:
        found.lack(("bleu", "chrf"), NO_TRUTH)
    return {**found.values, "reasons": found.reasons}


def add_copies(found: Figures, copies: list[Copies | None]) -> None:
    """Add `copied`, the share of all runs that stand in the training text, and `longest_copy`, in units."""
    if None in copies:
        found.lack(("copied", "longest_copy"), UNKNOWN)
        return
    number = sum(one.runs for one in copies)
    found.values |= {"longest_copy": max(one.longest for one in copies)}
    if number:
        found.values |= {"copied": sum(one.copied for one in copies) / number}
    else:
        found.lack(("copied",), f"no sample has {RUN} units")
