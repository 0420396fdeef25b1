"""Score the validation and the test split, with a trained cell or without any: nats and bits per byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.launch.server import main

if TYPE_CHECKING:
    from gptgrid.artifact.job import Build


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.evaluate.kinds import evaluate_kind

    return evaluate_kind


if __name__ == "__main__":
    main("evaluate", load, __doc__)
