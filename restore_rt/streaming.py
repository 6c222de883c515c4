"""Work on a sequence, in order, while the next items are read."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from typing import Generic, TypeVar

__all__ = ["overlapped"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2

# A source that blocks, a camera say, cannot be interrupted: its thread is left to end by itself.
_PATIENCE = 0.5


class _Channel(Generic[Item]):
    """A bounded queue between threads; ``None`` ends it."""

    def __init__(self, size: int, stopped: threading.Event) -> None:
        self._items: queue.Queue[Item | None] = queue.Queue(size)
        self._stopped = stopped

    def put(self, item: Item | None) -> bool:
        """Hand an item over; ``False`` when all was stopped."""
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def get(self) -> Item | None:
        """Take the next item; ``None`` at the end, or when all was stopped."""
        while not self._stopped.is_set():
            try:
                return self._items.get(timeout=0.1)
            except queue.Empty:
                continue
        return None


def overlapped(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int = 1
) -> Generator[Result, None, None]:
    """Apply ``work`` to each item in order; reading, work and the consumer run side by side.

    Parameters
    ----------
    work
        Called on threads of its own.
    items
        Read on a thread of its own, at most ``workers`` plus a few items ahead.
    workers
        Calls of ``work`` that may run at once.

    Returns
    -------
    Generator
        The results in the order of the items. Errors of ``items`` and of ``work`` are raised at
        their place, and end it; results before them are delivered. Leaving it early stops all
        threads, but for a source that is blocked: that one when it goes on.
    """
    stopped = threading.Event()
    jobs: _Channel[tuple[Item, Future[Result]]] = _Channel(workers + _AHEAD, stopped)
    order: _Channel[Future[Result]] = _Channel(workers + _AHEAD, stopped)

    def read() -> None:
        try:
            for item in items:
                future: Future[Result] = Future()
                if not (order.put(future) and jobs.put((item, future))):
                    break
        except BaseException as error:  # handed to the consumer, whatever it is
            failed: Future[Result] = Future()
            failed.set_exception(error)
            order.put(failed)
        finally:
            close = getattr(items, "close", None)
            if stopped.is_set() and close is not None:
                close()
        for _ in range(workers):
            jobs.put(None)
        order.put(None)

    def run() -> None:
        while (job := jobs.get()) is not None:
            item, future = job
            try:
                future.set_result(work(item))
            except BaseException as error:
                future.set_exception(error)

    def deliver() -> Generator[Result, None, None]:
        reader = threading.Thread(target=read, name="restore_rt-read", daemon=True)
        others = [
            threading.Thread(target=run, name=f"restore_rt-work-{index}", daemon=True)
            for index in range(workers)
        ]
        for thread in (reader, *others):
            thread.start()
        try:
            while (future := order.get()) is not None:
                yield future.result()
        finally:
            stopped.set()
            for thread in others:
                thread.join()
            reader.join(_PATIENCE)

    return deliver()
