"""Read a text, cut it into documents, and these into train, valid and test."""

from gptgrid.stage import Job, main


def build(job: Job) -> dict:
    # Imported here, so that what the store has costs no import.
    from gptgrid.corpus.prepare import prepare

    return prepare(job)


if __name__ == "__main__":
    main("corpus", build, __doc__)
