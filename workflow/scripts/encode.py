"""Turn the documents of a corpus into token shards."""

from gptgrid.artifact.job import Job
from gptgrid.artifact.program import main


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.encode.encode import encode

    return encode(job)


if __name__ == "__main__":
    main("encode", build, __doc__)
