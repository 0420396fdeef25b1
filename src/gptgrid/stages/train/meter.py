"""How fast a training goes, for people and for the provenance; never part of a result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gptgrid.stages.train.checkpoint import Effort


class Meter:
    """Seconds and tokens of training over all sessions, without validation, samples and saving."""

    def __init__(self, effort: Effort, log_every: float) -> None:
        """Start the clock.

        Args:
            effort: what earlier sessions took.
            log_every: seconds between lines of progress.
        """
        self.before, self.tokens, self.log_every = effort["seconds"], effort["tokens"], log_every
        self.start = self.logged = time.monotonic()
        self.aside = 0.0

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Do not count the time inside."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.aside += time.monotonic() - start

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        return self.before + time.monotonic() - self.start - self.aside

    @property
    def tokens_per_second(self) -> float:
        """Mean speed of training; 0 before the first step."""
        return self.tokens / self.seconds

    @property
    def effort(self) -> Effort:
        """What to store for the next session."""
        return {"seconds": self.seconds, "tokens": self.tokens}

    def line_is_due(self) -> bool:
        """Say, once every `log_every` seconds, that a line of progress is due."""
        if time.monotonic() - self.logged < self.log_every:
            return False
        self.logged = time.monotonic()
        return True


def duration(seconds: float) -> str:
    """Return seconds as `h:mm:ss`."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
