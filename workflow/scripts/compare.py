"""Gather all cells of an experiment into summary.csv and comparison.csv."""

from gptgrid.artifact.job import Build
from gptgrid.artifact.program import main

UNREAD = ("*.safetensors", "*.pt", "*.bin", "*-*.parquet")
"""What no table is made from: documents.parquet of an evaluation is, the parts of a corpus are not."""


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.compare.tables import compare

    return compare


if __name__ == "__main__":
    main("compare", load, __doc__, UNREAD)
