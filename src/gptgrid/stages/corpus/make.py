"""What the stage makes: a corpus, or the items of a task."""

from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.prepare import prepare
from gptgrid.stages.corpus.tasks import TASKS


def make(job: Job) -> dict[str, Any]:
    """Fill the job's folder; return the facts.

    Raises:
        UserError: what is asked for cannot be made of its source.
    """
    task = vars(job.config).get("task")
    return prepare(job) if task is None else TASKS[task](job)
