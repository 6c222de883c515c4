"""Calls something again and again until enough is known of the time that it takes."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples", "WarmUp", "sample", "sample_streams", "warm_up"]

Step = Callable[[], float | None]
Clock = Callable[[], float]

# The medians of so many windows must lie so near to each other ...
_WINDOWS, _NEAR = 3, 0.03
# ... each of at least so many runs that take at least so long, or of what takes very long.
_LEAST_RUNS, _LEAST_SECONDS, _LONG_SECONDS = 3, 0.03, 0.75


@dataclass(frozen=True)
class WarmUp:
    """Runs that do not count.

    Attributes
    ----------
    runs
        Their number.
    seconds
        What they took.
    stable
        Whether the last of them took the same time, within 3 %.
    """

    runs: int
    seconds: float
    stable: bool


@dataclass(frozen=True)
class Samples:
    """What was sampled.

    Attributes
    ----------
    seconds
        Of each run, in order; of several streams one after another.
    wall
        Seconds from the first run's begin to the last one's end, without what ran between them.
    """

    seconds: NDArray[np.float64]
    wall: float

    @property
    def rate(self) -> float:
        """Runs per second."""
        return len(self.seconds) / self.wall


def warm_up(step: Step, *, most: float, clock: Clock = time.perf_counter) -> WarmUp:
    """Run until the time of a run no longer changes, or for ``most`` seconds."""
    begin = window = now = clock()
    runs, times, medians = 0, list[float](), list[float]()
    while True:
        step()
        runs += 1
        before, now = now, clock()
        times.append(now - before)
        taken = now - window
        if taken >= _LONG_SECONDS or (len(times) >= _LEAST_RUNS and taken >= _LEAST_SECONDS):
            medians = [*medians[1 - _WINDOWS :], statistics.median(times)]
            times, window = [], now
            if len(medians) == _WINDOWS and max(medians) <= (1 + _NEAR) * min(medians):
                return WarmUp(runs, now - begin, True)
        if now - begin >= most:
            return WarmUp(runs, now - begin, False)


def sample(
    step: Step,
    *,
    seconds: float,
    least: int = 3,
    between: Callable[[], None] | None = None,
    every: float = 0.5,
    clock: Clock = time.perf_counter,
) -> Samples:
    """Run for some seconds, and at least some times.

    Parameters
    ----------
    step
        What to run. It may return the seconds that count, if not all of its time does.
    seconds, least
        Go on until both are reached.
    between, every
        Called first and last, and between runs whenever so many seconds went by; takes no time from
        the samples.
    clock
        Tells seconds.
    """
    times: list[float] = []
    inside, called = 0.0, clock()
    if between is not None:
        between()
        called = clock()
    while inside < seconds or len(times) < least:
        begin = clock()
        counted = step()
        now = clock()
        times.append(now - begin if counted is None else counted)
        inside += now - begin
        if between is not None and now - called >= every:
            between()
            called = clock()
    if between is not None:
        between()
    return Samples(np.asarray(times), inside)


def sample_streams(steps: Sequence[Step], *, seconds: float, least: int = 3) -> Samples:
    """Run several steps at once, each on a thread of its own, for some seconds."""
    stop = threading.Event()

    def run(step: Step) -> list[float]:
        times: list[float] = []
        while not stop.is_set() or len(times) < least:
            begin = time.perf_counter()
            counted = step()
            taken = time.perf_counter() - begin
            times.append(taken if counted is None else counted)
        return times

    with ThreadPoolExecutor(len(steps)) as pool:
        begin = time.perf_counter()
        streams = [pool.submit(run, step) for step in steps]
        wait(streams, timeout=seconds, return_when=FIRST_EXCEPTION)
        stop.set()
        times = [taken for stream in streams for taken in stream.result()]
        return Samples(np.asarray(times), time.perf_counter() - begin)
