"""Measures on a GPU: frames that stay there, the network alone, memory in use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from restore_rt.bench.report import Case
from restore_rt.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from restore_rt.gpu import Device, DeviceFrame, Event
    from restore_rt.gpu.lane import Lane

__all__ = ["Gpu", "gpu_of", "memory_in_use"]


def gpu_of(restorer: Any, case: Case, *, memory_before: int | None = None) -> Gpu | None:
    """Return the GPU that a Restorer runs on; None on a CPU.

    Raises
    ------
    InputError
        The case needs a GPU, and the Restorer runs on a CPU.
    """
    lane: Lane | None = getattr(restorer, "lane", None)
    if lane is not None:
        return Gpu(lane, memory_before=memory_before)
    if case.scope == "device":
        raise InputError(
            f"scope is 'device', which needs a GPU, but {restorer.manifest.name} runs on the CPU; "
            "load it with device='cuda', or choose another scope"
        )
    return None


def memory_in_use(device: int = 0) -> int:
    """Return the bytes of GPU memory that all programs use, this process's CUDA context included.

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
    """The GPU of a Restorer, whose lane nothing else may use meanwhile.

    ``memory_before`` are the bytes in use before the Restorer was loaded; None counts from now.
    """

    def __init__(self, lane: Lane, *, memory_before: int | None = None) -> None:
        from restore_rt.gpu import Pool

        self._lane = lane
        self._device = lane.device
        # The caller's frames do not count towards the memory limit of the Restorer's pool.
        self._pool = Pool(lane.device)
        self._most = _bytes_in_use(lane.device)
        self._before = self._most if memory_before is None else memory_before

    def pair(self, frame: NDArray[Any], shape: tuple[int, ...]) -> tuple[DeviceFrame, DeviceFrame]:
        """Return a frame in GPU memory, and GPU memory for its result."""
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
        """Run the network for all tiles of a frame, and return the time between two CUDA events.

        An untimed run comes first: it keeps the GPU busy while the timed run is queued, so that
        queueing is not measured.
        """
        begin, end = self._events
        with self._device.active():
            self._lane.queue_network(size)
            begin.record(self._lane.stream)
            self._lane.queue_network(size)
            end.record(self._lane.stream)
            end.synchronize()
        return end.seconds_since(begin)

    def look(self) -> None:
        """Note how much memory is in use; frames keep theirs, so between frames is enough."""
        self._most = max(self._most, _bytes_in_use(self._device))

    def added(self) -> int:
        """Return the most bytes noted, minus those in use before."""
        self.look()
        return max(0, self._most - self._before)

    @cached_property
    def _events(self) -> tuple[Event, Event]:
        return self._device.event(timed=True), self._device.event(timed=True)
