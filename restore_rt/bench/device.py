"""What is measured on a GPU: frames that stay there, the network alone, its clock, its memory."""

from __future__ import annotations

import statistics
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from restore_rt.bench.report import Case
from restore_rt.bench.sampling import Step
from restore_rt.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from restore_rt.gpu import Device, DeviceFrame, Event
    from restore_rt.gpu.lane import Lane

__all__ = ["RUNS_ALONE", "Gpu", "gpu_of", "memory_in_use"]

# Of the network for each whose time is taken.
RUNS_ALONE = 2
_COMPARED_RUNS = 5


def gpu_of(restorer: Any, case: Case, *, memory_before: int | None = None) -> Gpu | None:
    """Return the GPU that a Restorer runs on; None on a CPU.

    Raises
    ------
    InputError
        It runs on a CPU, and the case is one for GPUs.
    """
    lane: Lane | None = getattr(restorer, "lane", None)
    if lane is not None:
        return Gpu(lane, memory_before=memory_before)
    for name, value, asked in (
        ("scope", case.scope, case.scope == "device"),
        ("graphs", case.graphs, case.graphs is not None),
    ):
        if asked:
            raise InputError(
                f"{name} is {value!r}, which is for GPUs, and {restorer.manifest.name} runs on the "
                "CPU: load it with provider 'cuda' or 'tensorrt', or leave it out"
            )
    return None


def memory_in_use(device: int = 0) -> int:
    """Return the bytes of a GPU's memory that are in use, by whomever.

    To ask takes some itself, for CUDA's context in this process; that is in the figure.

    Raises
    ------
    InputError, BackendError
        There is no such GPU, or it cannot be used.
    """
    from restore_rt.gpu import open_device

    return _bytes_in_use(open_device(device))


def _bytes_in_use(device: Device) -> int:
    from restore_rt.gpu.faults import Checked

    with device.active(), Checked("tell how much memory is in use", device):
        free, total = device.library.mem_get_info()
    return int(total) - int(free)


class Gpu:
    """A GPU on which a Restorer runs.

    Parameters
    ----------
    lane
        The Restorer's; nobody else may use it meanwhile.
    memory_before
        Bytes of its memory that were in use before the Restorer was loaded; None for those that
        are now.
    """

    def __init__(self, lane: Lane, *, memory_before: int | None = None) -> None:
        from restore_rt.gpu import Pool

        self._lane = lane
        self._device = lane.device
        # Not the Restorer's: frames on the GPU are their owner's, and its limit is not for them.
        self._pool = Pool(lane.device)
        self._most = _bytes_in_use(lane.device)
        self._before = self._most if memory_before is None else memory_before

    def pair(self, frame: NDArray[Any], shape: tuple[int, ...]) -> tuple[DeviceFrame, DeviceFrame]:
        """Return a frame in the GPU's memory, and memory there for its result of some shape."""
        from restore_rt.gpu import DeviceFrame, pinned_empty, upload_async

        with self._device.active():
            stream = self._device.stream()
            staged = pinned_empty(frame.shape, frame.dtype)
            staged[...] = frame
            there, out = (self._pool.empty(sides, frame.dtype) for sides in (frame.shape, shape))
            upload_async(there, staged, stream)
            stream.synchronize()
        return DeviceFrame.of(there), DeviceFrame.of(out)

    def network_seconds(self, size: tuple[int, int]) -> float:
        """Run the network alone for all tiles of a frame, and return what that takes on the GPU.

        A first run keeps the GPU at work while the one that counts is queued behind it: what it
        takes to queue is in the figure only where the GPU is quicker than that.
        """
        begin, end = self._events
        with self._device.active():
            self._lane.queue_network(size)
            begin.record(self._lane.stream)
            self._lane.queue_network(size)
            end.record(self._lane.stream)
            end.synchronize()
        return end.seconds_since(begin)

    def events_over_wall(self, step: Step) -> float:
        """Return the time between two CUDA events over that on the host's clock, around runs.

        The events are recorded on the stream that runs the network. What a run leaves undone there
        when it returns comes before the second one, so that more than 1 says that the host's clock
        was stopped too early.
        """
        begin, end = self._events
        ratios = []
        with self._device.active():
            for _ in range(_COMPARED_RUNS):
                now = time.perf_counter()
                begin.record(self._lane.stream)
                step()
                end.record(self._lane.stream)
                wall = time.perf_counter() - now
                end.synchronize()
                ratios.append(end.seconds_since(begin) / wall)
        return statistics.median(ratios)

    def look(self) -> None:
        """See how much memory is in use now.

        Between frames is often enough: what frames need is kept for the next one.
        """
        self._most = max(self._most, _bytes_in_use(self._device))

    def added(self) -> int:
        """Return the most bytes that were in use when somebody looked, less those before."""
        self.look()
        return max(0, self._most - self._before)

    @cached_property
    def _events(self) -> tuple[Event, Event]:
        return self._device.event(timed=True), self._device.event(timed=True)
