"""From a base model and dialogues to a model that answers."""

from __future__ import annotations

from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.finetune.finetuning import Finetuning
from gptgrid.stages.finetune.launch import MODULE
from gptgrid.trainer import launch


def make(job: Job) -> dict[str, Any]:
    """Fine-tune a model; return its facts.

    Raises:
        SystemExit: a signal asked to stop and the state is saved, or a process failed.
        UserError: something that a person can mend.
    """
    return launch.make(job, Finetuning, MODULE)
