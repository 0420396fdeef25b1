"""Make the report of an experiment: one HTML file that works offline."""

from gptgrid.artifact.job import Build
from gptgrid.artifact.program import main

UNREAD = ("*.safetensors", "*.pt", "*.bin", "*.parquet")
"""What no table and no page is made from."""


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.report.make import make_report

    return make_report


if __name__ == "__main__":
    main("report", load, __doc__, UNREAD)
