"""Calls a function repeatedly and times every call."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restore_rt.bench.report import Sustained

__all__ = ["Samples", "Step", "Timed", "sample", "sample_streams", "warm_up"]

# A call may return the seconds that count, if that is not all of its time.
Step = Callable[[], float | None]
Clock = Callable[[], float]

# The warm-up ends when the medians of three windows in a row lie within 3 %.
_WINDOWS, _NEAR = 3, 0.03
# A window is at least three calls and 30 ms; a single very long call is enough.
_LEAST_RUNS, _LEAST_SECONDS, _LONG_SECONDS = 3, 0.03, 0.75


@dataclass(frozen=True)
class Samples:
    """Seconds of each call, and ``wall``, the time from the first call to the last."""

    seconds: NDArray[np.float64]
    wall: float

    @property
    def rate(self) -> float:
        """Calls per second."""
        return len(self.seconds) / self.wall


@dataclass(frozen=True)
class Timed:
    """Frames that one process timed.

    ``median_ms`` is compared with other rounds, ``rate`` is in frames per second of all streams,
    and ``stages`` are busy ms per frame.
    """

    seconds: NDArray[np.float64]
    median_ms: float
    rate: float
    stages: dict[str, float]
    stable: bool
    sustained: Sustained | None = None


def warm_up(step: Step, *, most: float, clock: Clock = time.perf_counter) -> bool:
    """Call until the time of a call is steady; return False if that took ``most`` seconds."""
    begin = window = now = clock()
    times, medians = list[float](), list[float]()
    while now - begin < most:
        step()
        before, now = now, clock()
        times.append(now - before)
        taken = now - window
        if taken >= _LONG_SECONDS or (len(times) >= _LEAST_RUNS and taken >= _LEAST_SECONDS):
            medians = [*medians[1 - _WINDOWS :], statistics.median(times)]
            times, window = [], now
            if len(medians) == _WINDOWS and max(medians) <= (1 + _NEAR) * min(medians):
                return True
    return False


def sample(
    step: Step,
    *,
    seconds: float,
    least: int = 3,
    between: Callable[[], None] = lambda: None,
    every: float = 0.5,
    clock: Clock = time.perf_counter,
) -> Samples:
    """Call for some seconds, and at least ``least`` times.

    ``between`` runs before the first call, after the last, and every ``every`` seconds; its time
    is not counted.
    """
    times: list[float] = []
    inside = 0.0
    between()
    called = clock()
    while inside < seconds or len(times) < least:
        begin = clock()
        counted = step()
        now = clock()
        times.append(now - begin if counted is None else counted)
        inside += now - begin
        if now - called >= every:
            between()
            called = clock()
    between()
    return Samples(np.asarray(times), inside)


def sample_streams(steps: Sequence[Step], *, seconds: float, least: int = 3) -> Samples:
    """Call several functions at once for some seconds, each on its own thread."""
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
