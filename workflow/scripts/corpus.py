"""Read a text, cut it into documents, and these into train, valid and test; or the items of a task."""

from gptgrid.artifact.job import Build
from gptgrid.artifact.program import main


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.corpus.make import make

    return make


if __name__ == "__main__":
    main("corpus", load, __doc__)
