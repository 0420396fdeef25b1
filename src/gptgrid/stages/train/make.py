"""From a job to a trained model."""

from __future__ import annotations

from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.train.imported import FORMATS
from gptgrid.stages.train.launch import MODULE
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.trainer import launch


def make(job: Job) -> dict[str, Any]:
    """Train a model, or take the weights of one that others trained; return its facts.

    Raises:
        SystemExit: a signal asked to stop and the state is saved, or a process failed.
        UserError: something that a person can mend.
    """
    if hasattr(job.config, "format"):
        return FORMATS[job.config.format](job)
    return launch.make(job, Pretraining, MODULE)
