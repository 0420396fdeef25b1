"""Let a trained cell continue every prompt under every decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.launch.server import main

if TYPE_CHECKING:
    from gptgrid.artifact.job import Build


def load() -> Build:
    # Imported here, so that what the store has costs no import.
    from gptgrid.stages.sample.kinds import sample_kind

    return sample_kind


if __name__ == "__main__":
    main("sample", load, __doc__)
