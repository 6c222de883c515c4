"""The clock of a live run, which stands still while the run is paused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["RunClock"]


class RunClock:
    """Counts the seconds of a run without its pauses; safe to use from several threads.

    Parameters
    ----------
    seconds
        Returns the present time, in seconds from any moment.
    """

    def __init__(self, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._lost = 0.0  # in pauses that are over
        self._paused: float | None = None

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused is not None

    def now(self) -> float:
        """Return the time of the run."""
        with self._lock:
            now = self._seconds() if self._paused is None else self._paused
            return now - self._lost

    def pause(self) -> None:
        """Stand still from now on."""
        with self._lock:
            if self._paused is None:
                self._paused = self._seconds()

    def go_on(self) -> None:
        """Go on from where it stands."""
        with self._lock:
            if self._paused is not None:
                self._lost += self._seconds() - self._paused
                self._paused = None
