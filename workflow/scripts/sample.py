"""Let a trained cell continue every prompt under every decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.launch.server import hand_over

if TYPE_CHECKING:
    from gptgrid.artifact.job import Job


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.sample.samples import sample

    return sample(job)


if __name__ == "__main__":
    hand_over()
    # What follows is for whoever really runs the program.
    from gptgrid.artifact.program import main
    from gptgrid.launch.allocator import restart_with_tcmalloc

    restart_with_tcmalloc()
    main("sample", build, __doc__)
