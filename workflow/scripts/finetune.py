"""Fine-tune a trained cell on dialogues: weights, learning curve and the state to continue from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.launch.server import main

if TYPE_CHECKING:
    from gptgrid.artifact.job import Build


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.finetune.make import make

    return make


if __name__ == "__main__":
    main("finetune", load, __doc__)
