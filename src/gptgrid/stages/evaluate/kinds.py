"""What may be evaluated on a text or on dialogues: a trained cell, or what needs no training."""

from __future__ import annotations

from typing import Any

from gptgrid.artifact.job import Build, Job
from gptgrid.artifact.variants import Variants
from gptgrid.stages.evaluate.compression import compress
from gptgrid.stages.evaluate.cross import evaluate_elsewhere
from gptgrid.stages.evaluate.dialogues import evaluate_dialogues
from gptgrid.stages.evaluate.evaluation import evaluate
from gptgrid.stages.evaluate.ngrams import count_grams

KINDS: Variants[Build] = Variants(
    {
        "cell": evaluate,
        "cross": evaluate_elsewhere,
        "dialogues": evaluate_dialogues,
        "ngram": count_grams,
        "xz": compress,
    }
)
"""`kind` of an evaluation → what makes it. The source of one is no cause for making another again."""


def evaluate_kind(job: Job) -> dict[str, Any]:
    """Make an evaluation of the kind that the job names."""
    return KINDS[job.config.kind](job)
