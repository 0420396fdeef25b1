"""Read a text, cut it into documents, and these into train, valid and test."""

from gptgrid.artifact.job import Job
from gptgrid.artifact.program import main


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.corpus.prepare import prepare

    return prepare(job)


if __name__ == "__main__":
    main("corpus", build, __doc__)
