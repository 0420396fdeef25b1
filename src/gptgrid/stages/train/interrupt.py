"""Signals that ask a training to stop: noted at once, obeyed where the state is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""From a scheduler, a keyboard, and a batch system shortly before its time limit."""


class Interrupted(Exception):  # noqa: N818 -- it is a request, not an error
    """A signal asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number


class Interrupts:
    """While entered, the stopping signals set a flag that `check` turns into an exception."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.before: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        # Python sets handlers in the main thread only; elsewhere the signals keep their effect.
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self.note) for number in STOPPING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal."""
        self.received = number

    def check(self) -> None:
        """Raise Interrupted if a signal came."""
        if self.received is not None:
            raise Interrupted(self.received)
