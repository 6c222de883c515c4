"""Where the time of a restoration goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["StageTimes"]


class StageTimes:
    """Busy seconds and number of passes for each named stage; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to ``stage``."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begin)

    def add(self, stage: str, seconds: float) -> None:
        """Add ``seconds`` and one pass to ``stage``."""
        with self._lock:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds
            self._counts[stage] = self._counts.get(stage, 0) + 1

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage, in the order in which the stages first ran."""
        with self._lock:
            return dict(self._seconds)

    @property
    def counts(self) -> dict[str, int]:
        """Passes by stage."""
        with self._lock:
            return dict(self._counts)

    def clear(self) -> None:
        """Start again at zero."""
        with self._lock:
            self._seconds.clear()
            self._counts.clear()
