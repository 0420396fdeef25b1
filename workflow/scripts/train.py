"""Train one model on token shards: weights, learning curve, samples and the state to continue from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.launch.server import hand_over

if TYPE_CHECKING:
    from gptgrid.artifact.job import Job


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.train.launch import launch, train

    return launch(job) if job.run.processes > 1 else train(job)


if __name__ == "__main__":
    hand_over()
    # What follows is for whoever really runs the program.
    from gptgrid.artifact.program import main
    from gptgrid.launch.allocator import restart_with_tcmalloc

    restart_with_tcmalloc()
    main("train", build, __doc__)
