"""Time on a GPU, between two events; buffers take turns, so that no cache holds them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.gpu import (
    Device,
    DeviceArray,
    Pool,
    download_async,
    kernels,
    open_device,
    pinned_empty,
    upload_async,
)

__all__ = ["Bench", "percentiles", "spread", "timed"]

# Several times what the largest GPUs have as cache.
_ROTATED_BYTES = 1 << 29
# Work is recorded in graphs of at least so many steps: what a launch takes is shared by them.
_LEAST_STEPS = 8

Spread = dict[str, float]


class Bench:
    """A GPU with a stream and a pool, and the clock that its events are.

    Attributes
    ----------
    device, stream, pool
        What is measured on.
    rounds
        Measurements of each figure.
    rotated
        Bytes that one figure's buffers take at least.
    """

    def __init__(self, *, rounds: int, rotated: int = _ROTATED_BYTES) -> None:
        self.device: Device = open_device()
        self.stream = self.device.stream()
        self.pool = Pool(self.device, stream=self.stream)
        self.rounds = rounds
        self.rotated = rotated
        with self.device.active():
            # Those of the runtime take no time.
            self._begin, self._end = self.device.library.Event(), self.device.library.Event()

    def seconds(self, work: Callable[[], object]) -> float:
        """Return what the GPU takes for the work that a call queues."""
        with self.device.active():
            self._begin.record(self.stream.raw)
            work()
            self._end.record(self.stream.raw)
            self._end.synchronize()
            return float(self._begin.time_till(self._end)) / 1e3

    def each(self, steps: Sequence[Callable[[], object]]) -> list[float]:
        """Return what a step takes on average in a graph of all steps, for each round."""
        repeated = list(steps) * math.ceil(_LEAST_STEPS / len(steps))

        def work() -> None:
            for step in repeated:
                step()

        with self.device.active():
            work()
            self.stream.synchronize()
            graph = kernels().Graph.capture(self.stream.handle, work)
            for _ in range(2):
                graph.launch(self.stream.handle)
            return [
                self.seconds(lambda: graph.launch(self.stream.handle)) / len(repeated)
                for _ in range(self.rounds)
            ]

    def sets(self, size: int) -> int:
        """Return how many sets of buffers take turns, each of so many bytes."""
        return max(2, math.ceil(self.rotated / size))

    def upload(self, array: NDArray[Any]) -> DeviceArray:
        """Return a copy on the GPU."""
        with self.device.active():
            staged = pinned_empty(array.shape, array.dtype)
            staged[...] = array
            made = self.pool.empty(array.shape, array.dtype)
            upload_async(made, staged, self.stream)
            self.stream.synchronize()
        return made

    def download(self, array: DeviceArray) -> NDArray[Any]:
        """Return a copy on the host of what there is when all that was queued has run."""
        with self.device.active():
            staged = pinned_empty(array.shape, array.dtype)
            download_async(staged, array, self.stream)
            self.stream.synchronize()
        return staged.copy()

    def memory_taken(self) -> int:
        """Return the bytes of the GPU's memory that are in use, by whomever."""
        with self.device.active():
            free, total = self.device.library.mem_get_info()
        return int(total) - int(free)


def spread(values: Sequence[float], *, digits: int = 4) -> Spread:
    """Return median and spread, to so many significant digits."""
    ordered = sorted(values)
    picked = {
        "median": statistics.median(ordered),
        "p10": ordered[len(ordered) // 10],
        "p90": ordered[-1 - len(ordered) // 10],
    }
    rounded = {key: float(f"{value:.{digits}g}") for key, value in picked.items()}
    return {**rounded, "runs": len(ordered)}


def percentiles(values: Sequence[float], *, digits: int = 4) -> Spread:
    """Return the median and what few calls exceed, to so many significant digits."""
    found = np.percentile(values, [50, 95, 99], method="higher")
    named = zip(("p50", "p95", "p99"), found, strict=True)
    return {**{key: float(f"{value:.{digits}g}") for key, value in named}, "runs": len(values)}


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes on the host."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
