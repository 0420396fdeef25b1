"""Make a tokenizer: learn it from a corpus, or fetch a published vocabulary."""

from gptgrid.artifact.job import Build
from gptgrid.artifact.program import main


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.tokenizer.make import make_tokenizer

    return make_tokenizer


if __name__ == "__main__":
    main("tokenizer", load, __doc__)
