"""Work on a sequence, in order, while the next items are read."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["overlapped"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2


class _Channel(Generic[Item]):
    """A bounded queue between two threads that either end can close."""

    def __init__(self, size: int) -> None:
        self._items: queue.Queue[tuple[str, object]] = queue.Queue(size)
        self._stopped = threading.Event()

    def put(self, kind: str, value: object) -> bool:
        """Hand an item over; ``False`` when the receiver went away."""
        while not self._stopped.is_set():
            try:
                self._items.put((kind, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def get(self) -> tuple[str, object] | None:
        """Take the next item; ``None`` when the channel was stopped."""
        while not self._stopped.is_set():
            try:
                return self._items.get(timeout=0.1)
            except queue.Empty:
                continue
        return None

    def stop(self) -> None:
        self._stopped.set()


def overlapped(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Apply ``work`` to each item in order; reading, work and the consumer run side by side.

    Errors of ``items`` and of ``work`` are raised at their place in the order; results before
    them are delivered. Leaving the iterator early stops both threads.
    """
    source: _Channel[Item] = _Channel(_AHEAD)
    results: _Channel[Result] = _Channel(_AHEAD)

    def read() -> None:
        try:
            for item in items:
                if not source.put("item", item):
                    return
        except BaseException as error:  # handed to the consumer, whatever it is
            source.put("error", error)
        else:
            source.put("end", None)

    def run() -> None:
        while (message := source.get()) is not None:
            kind, value = message
            if kind == "item":
                try:
                    value = work(value)  # type: ignore[arg-type]
                except BaseException as error:
                    kind, value = "error", error
            if not results.put(kind, value) or kind != "item":
                return

    def deliver() -> Iterator[Result]:
        threads = [
            threading.Thread(target=read, name="restore_rt-read", daemon=True),
            threading.Thread(target=run, name="restore_rt-work", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            while (message := results.get()) is not None:
                kind, value = message
                if kind == "error":
                    assert isinstance(value, BaseException)
                    raise value
                if kind == "end":
                    return
                yield value  # type: ignore[misc]
        finally:
            source.stop()
            results.stop()
            for thread in threads:
                thread.join()

    return deliver()
