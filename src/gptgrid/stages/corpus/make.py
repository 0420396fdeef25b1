"""What the stage makes: a corpus, the items of a task, or dialogues."""

from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.dialogues.prepare import DIALOGUES
from gptgrid.stages.corpus.prepare import prepare
from gptgrid.stages.corpus.tasks import TASKS


def make(job: Job) -> dict[str, Any]:
    """Fill the job's folder; return the facts.

    Raises:
        UserError: what is asked for cannot be made of its source.
    """
    config = vars(job.config)
    if "task" in config:
        return TASKS[config["task"]](job)
    if "dialogues" in config:
        return DIALOGUES[config["dialogues"]](job)
    return prepare(job)
