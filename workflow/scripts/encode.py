"""Turn the documents of a corpus into token shards."""

from gptgrid.artifact.job import Build
from gptgrid.artifact.program import main


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.encode.encode import encode

    return encode


if __name__ == "__main__":
    main("encode", load, __doc__)
