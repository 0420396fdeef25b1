"""What the stage makes: a corpus, the items of a task, or dialogues."""

import shutil
from collections.abc import Callable
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.dialogues.prepare import DIALOGUES
from gptgrid.stages.corpus.prepare import prepare
from gptgrid.stages.corpus.tasks import TASKS


def make(job: Job) -> dict[str, Any]:
    """Fill the job's folder; return the facts.

    Raises:
        UserError: what is asked for cannot be made of its source.
    """
    try:
        return maker(vars(job.config))(job)
    except UserError:
        # Mended, it is another corpus: nobody would use the copies of the text that lie there.
        for folder in (job.scratch, job.folder):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def maker(config: dict[str, Any]) -> Callable[[Job], dict[str, Any]]:
    """Return what makes the kind that a configuration asks for."""
    if "task" in config:
        return TASKS[config["task"]]
    if "dialogues" in config:
        return DIALOGUES[config["dialogues"]]
    return prepare
