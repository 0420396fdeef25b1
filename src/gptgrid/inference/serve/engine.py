"""What is computed: several answers at once by one thread, one step of each in turn.

So torch computes one thing at a time, a short answer need not wait for a long one, and memory is bounded by
the number of answers. A job is a function that returns an iterator; a step is one item of it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import torch

from gptgrid.inference.serve.errors import RequestError


class GoneError(Exception):
    """Nobody waits for the answer any more."""


class Job:
    """One answer, item by item, from the thread that computes to the event loop."""

    def __init__(self, work: Callable[[], Iterator[Any]]) -> None:
        """Make a job of the running event loop."""
        self.work = work
        self.items: Iterator[Any] | None = None
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.cancelled = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the items.

        Raises:
            GoneError: the job was cancelled.
            Exception: whatever the work raised.
        """
        while True:
            kind, item = await self.done.get()
            if kind == "end":
                return
            if kind == "error":
                raise item
            yield item

    def cancel(self) -> None:
        """End the job before its next step; to be called in the event loop."""
        self.cancelled = True
        self.done.put_nowait(("error", GoneError()))

    def step(self) -> bool:
        """Compute the next item; say whether there may be another."""
        if self.cancelled:
            self.close()
            return False
        try:
            if self.items is None:
                self.items = self.work()
            self.tell("item", next(self.items))
        except StopIteration:
            self.tell("end", None)
            return False
        except Exception as error:  # whoever waits for the answer hears of it
            self.tell("error", error)
            return False
        return True

    def refuse(self, error: Exception) -> None:
        """End the job for a reason."""
        self.close()
        self.tell("error", error)

    def close(self) -> None:
        """End the computation."""
        if self.items is not None and hasattr(self.items, "close"):
            self.items.close()

    def tell(self, kind: str, item: Any) -> None:
        """Hand something to the event loop, unless it has ended."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.done.put_nowait, (kind, item))


class Engine:
    """The thread that computes."""

    def __init__(self, running: int, waiting: int) -> None:
        """Start it.

        Args:
            running: answers at once.
            waiting: answers that may wait for their turn.
        """
        self.limit, self.room = running, waiting
        self.waiting: deque[Job] = deque()
        self.changed = threading.Condition()
        self.closing = False
        """Set it to end all; a signal handler may, as no lock is needed for it."""
        self.thread = threading.Thread(target=self.run, name="engine", daemon=True)
        self.thread.start()

    def submit(self, work: Callable[[], Iterator[Any]]) -> Job:
        """Queue a job.

        Raises:
            RequestError: too many are waiting, or the engine is closing.
        """
        if self.closing:
            raise closing()
        with self.changed:
            # A job that was given up waits no more.
            self.waiting = deque(job for job in self.waiting if not job.cancelled)
            if len(self.waiting) >= self.room:
                raise RequestError(
                    429,
                    f"{self.room} requests wait already; try again in a second",
                    code="rate_limit_exceeded",
                    headers={"Retry-After": "1"},
                )
            job = Job(work)
            self.waiting.append(job)
            self.changed.notify()
        return job

    @torch.inference_mode()
    def run(self) -> None:
        """Compute until the engine is closing."""
        running: deque[Job] = deque()
        while True:
            running.extend(self.next_jobs(self.limit - len(running), wait=not running))
            if self.closing:
                break
            job = running.popleft()
            if job.step():
                running.append(job)
        for job in [*running, *self.next_jobs(self.room, wait=False)]:
            job.refuse(closing())

    def next_jobs(self, room: int, wait: bool) -> list[Job]:
        """Return so many of the jobs that wait, at most; with `wait` one at least."""
        with self.changed:
            while wait and not self.waiting:
                self.changed.wait()
            return [self.waiting.popleft() for _ in range(min(room, len(self.waiting)))]


def closing() -> RequestError:
    """Return what to say while the server ends."""
    return RequestError(503, "the server is ending")
