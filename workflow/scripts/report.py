"""Make the report of an experiment: one HTML file that works offline."""

from gptgrid.artifact.job import Job
from gptgrid.artifact.program import main


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.report.make import make_report

    return make_report(job)


if __name__ == "__main__":
    main("report", build, __doc__)
