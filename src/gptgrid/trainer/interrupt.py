"""Signals that ask a training to stop: noted at once, obeyed where the state is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

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

    def __init__(self, processes: int = 1) -> None:
        """Note no signal yet.

        Args:
            processes: that share a training; they stop at the same step, once all know of a signal.
        """
        self.received: int | None = None
        self.agreed = processes == 1
        """Every process knows of the signal, if there is one."""
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

    def agree(self, signals: Tensor) -> None:
        """Note that a signal came to one of several processes.

        Args:
            signals: the sum of what all of them received, a scalar; 0 if nothing came.
        """
        if not self.agreed and signals:
            self.received, self.agreed = signal.SIGUSR1, True

    def check(self) -> None:
        """Raise Interrupted if a signal came; of several processes, if all know of it: then all stop here."""
        if self.received is not None and self.agreed:
            raise Interrupted(self.received)
