"""Make a tokenizer: learn it from a corpus, or fetch a published vocabulary."""

from gptgrid.artifact.job import Job
from gptgrid.artifact.program import main


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.tokenizer.make import make_tokenizer

    return make_tokenizer(job)


if __name__ == "__main__":
    main("tokenizer", build, __doc__)
