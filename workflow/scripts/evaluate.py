"""Score the test split with a trained cell: nats, perplexities and bits per byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.launch.server import hand_over

if TYPE_CHECKING:
    from gptgrid.artifact.job import Job


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.evaluate.evaluation import evaluate

    return evaluate(job)


if __name__ == "__main__":
    hand_over()
    # What follows is for whoever really runs the program.
    from gptgrid.artifact.program import main
    from gptgrid.launch.allocator import restart_with_tcmalloc

    restart_with_tcmalloc()
    main("evaluate", build, __doc__)
