"""The items of tasks in files of the user's own: read before anything runs, so that a bad line is said early.

Only what is still to be made is read. So it costs nothing once it is there.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.config.errors import ConfigError
from gptgrid.plan.artifacts import Artifact


def check_items(artifact: Artifact, where: str) -> None:
    """Read the items of a task as its program does, and throw away what it writes.

    Args:
        artifact: the task, of files of the user's own.
        where: the place in the configuration.

    Raises:
        ConfigError: a file cannot be read, a line is no item of the task's format, or there are none.
    """
    # Imported here, so that a plan without such a task does not wait for pyarrow.
    from gptgrid.stages.corpus.tasks import TASKS

    with TemporaryDirectory() as name, redirect_stdout(io.StringIO()):
        folder = Path(name)
        job = Job(namespace(artifact.config), {}, folder, folder, raw=artifact.raw)
        try:
            TASKS[artifact.config["task"]](job)
        except UserError as error:
            raise ConfigError(f"{where}: {error}") from None
