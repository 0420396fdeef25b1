"""Train one model on token shards: weights, learning curve, samples and the state to continue from.

Or take the weights of one that others trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gptgrid.launch.server import main

if TYPE_CHECKING:
    from gptgrid.artifact.job import Build, Job


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.train.imported import FORMATS
    from gptgrid.trainer.launch import launch, train

    def build(job: Job) -> dict[str, Any]:
        if hasattr(job.config, "format"):
            return FORMATS[job.config.format](job)
        return launch(job) if job.run.processes > 1 else train(job)

    return build


if __name__ == "__main__":
    main("train", load, __doc__)
