"""Gather all cells of an experiment into summary.csv and comparison.csv."""

from gptgrid.artifact.job import Job
from gptgrid.artifact.program import main


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.compare.tables import compare

    return compare(job)


if __name__ == "__main__":
    main("compare", build, __doc__)
