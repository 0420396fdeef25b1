"""Train one model on token shards: weights, learning curve, samples and the state to continue from.

Or take the weights of one that others trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.launch.server import main

if TYPE_CHECKING:
    from gptgrid.artifact.job import Build


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.train.make import make

    return make


if __name__ == "__main__":
    main("train", load, __doc__)
