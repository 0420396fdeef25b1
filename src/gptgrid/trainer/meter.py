"""How fast a training goes, for people and for the provenance; never part of a result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.text.readable import duration
from gptgrid.trainer.checkpoint import Effort


class Meter:
    """Seconds and tokens of training over all sessions, the parent's among them, without validation, samples
    and saving."""

    def __init__(self, job: Job) -> None:
        """Start the clock; `run.log_every` seconds lie between lines of progress."""
        self.job = job
        self.earlier_seconds, self.tokens, self.seconds_aside = 0.0, 0, 0.0
        self.start = self.logged = time.monotonic()

    def add(self, effort: Effort) -> None:
        """Count what earlier sessions took, or the training that this one continues."""
        self.earlier_seconds += effort["seconds"]
        self.tokens += effort["tokens"]

    @contextmanager
    def aside(self, step: str) -> Iterator[None]:
        """Time something that is not training, as a step of timing.csv."""
        start = time.monotonic()
        try:
            with self.job.timing(step):
                yield
        finally:
            self.seconds_aside += time.monotonic() - start

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        return self.earlier_seconds + time.monotonic() - self.start - self.seconds_aside

    @property
    def tokens_per_second(self) -> float:
        """Mean speed of training; 0 before the first step."""
        return self.tokens / self.seconds

    @property
    def effort(self) -> Effort:
        """What to store for the next session."""
        return {"seconds": self.seconds, "tokens": self.tokens}

    def line_is_due(self) -> bool:
        """Say, once every `run.log_every` seconds, that a line of progress is due."""
        if time.monotonic() - self.logged < self.job.run.log_every:
            return False
        self.logged = time.monotonic()
        return True

    def line(self, step: int, steps: int, loss: float, learning_rate: float, tokens_left: int) -> str:
        """Return a line of progress: where the training stands, how fast it goes, how long it will take."""
        speed = self.tokens_per_second
        left = duration(tokens_left / speed if speed else 0.0)
        return (
            f"step {step}/{steps} | loss {loss:.4f} | lr {learning_rate:.2e} | "
            f"{speed:,.0f} tokens/s | {left} left"
        )


def effort_of(provenance: dict[str, Any]) -> Effort:
    """Return what a finished training took; nothing if its volatile facts were not kept."""
    seconds = provenance.get("train_seconds", 0.0)
    return {"seconds": seconds, "tokens": round(seconds * provenance.get("tokens_per_second", 0.0))}
