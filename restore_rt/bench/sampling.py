"""Calls functions repeatedly and times every call."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

__all__ = ["Step", "sample", "warm_up"]

# A call may return the seconds that count, a float, if that is not all of its time.
Step = Callable[[], object]
Clock = Callable[[], float]

# The warm-up ends when the medians of three windows in a row lie within 3 %.
_WINDOWS, _NEAR = 3, 0.03
# A window is at least three calls and 30 ms; a single very long call is enough.
_LEAST_RUNS, _LEAST_SECONDS, _LONG_SECONDS = 3, 0.03, 0.75


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
    steps: Sequence[Step],
    *,
    seconds: float,
    between: Callable[[], None] = lambda: None,
    every: float = math.inf,
    clock: Clock = time.perf_counter,
) -> tuple[NDArray[np.float64], float]:
    """Call functions for some seconds, at least three times each on average.

    Returned are the seconds of each call, and those from the first call to the end of the last.
    Several functions are called at once, each on a thread of its own. ``between`` runs before the
    first call, after the last, and every ``every`` seconds; its time is not counted.
    """
    times, wall, until = list[float](), 0.0, 0.0

    def calls(step: Step) -> list[float]:
        nonlocal until
        made: list[float] = []
        try:
            while not made or clock() < until:
                begin = clock()
                counted = step()
                made.append(counted if isinstance(counted, float) else clock() - begin)
        except BaseException:
            # The other functions end as well.
            until = -math.inf
            raise
        return made

    between()
    with ThreadPoolExecutor(len(steps)) as pool:
        while wall < seconds or len(times) < _LEAST_RUNS * len(steps):
            begin = clock()
            until = begin + min(every, seconds - wall)
            if len(steps) == 1:
                times += calls(steps[0])
            else:
                streams = [pool.submit(calls, step) for step in steps]
                times += [taken for stream in streams for taken in stream.result()]
            wall += clock() - begin
            between()
    return np.asarray(times), wall
