"""Frames to the GPU, through a lane and back; each runner handles one frame at a time."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.colour import restore_luma_apart
from restore_rt.errors import BackendError, NonFiniteError, OutOfMemoryError, RestoreError
from restore_rt.frames import Planes, not_finite
from restore_rt.gpu.array import DeviceArray
from restore_rt.gpu.driver import Device, Stream
from restore_rt.gpu.lane import Lane
from restore_rt.gpu.memory import is_pinned, pinned_empty
from restore_rt.gpu.task import Plane, Task
from restore_rt.gpu.transfer import download_async, upload_async
from restore_rt.tiled.sizes import round_up
from restore_rt.timing import StageTimes

__all__ = ["GpuRunner"]

# A picture's colour and alpha, or two sizes that take turns.
_BUFFERS_KEPT = 2
# Where arrays begin, in bytes.
_ALIGNED = 256


class _Packed:
    """Arrays one after another, in one piece of device memory and one of page-locked memory."""

    def __init__(self, lane: Lane, like: Sequence[NDArray[Any]]) -> None:
        starts, size = [], 0
        for array in like:
            starts.append(size)
            size += round_up(math.prod(array.shape) * array.itemsize, _ALIGNED)
        self.device = lane.pool.empty((size,), np.dtype(np.uint8))
        self.host = pinned_empty((size,), np.dtype(np.uint8))
        self.on_device = [
            self.device.view(array.shape, dtype=array.dtype, offset=start)
            for start, array in zip(starts, like, strict=True)
        ]
        self.on_host = [
            np.ndarray(array.shape, array.dtype, self.host.data, start)
            for start, array in zip(starts, like, strict=True)
        ]


class _Buffers:
    """Buffers for frames of one layout, with their constant task."""

    def __init__(
        self,
        lane: Lane,
        sources: Sequence[NDArray[Any]],
        targets: Sequence[NDArray[Any]],
        peak: float | None,
        phase: tuple[float, float],
    ) -> None:
        self.sources = _Packed(lane, sources)
        self.targets = _Packed(lane, targets)
        self.flag = _Packed(lane, [np.empty(1, np.uint32)])
        frame, *chroma = self.sources.on_device
        out, *enlarged = self.targets.on_device
        planes = tuple(Plane(t, s) for t, s in zip(enlarged, chroma, strict=True))
        (flag,) = self.flag.on_device
        self.task = Task(frame, out, flag, planes, peak=peak, phase=phase)


class GpuRunner:
    """A FrameRunner that sends frames through a lane on the GPU and back.

    The stages are ``upload`` (into page-locked memory), ``device`` (until the result has arrived)
    and ``download`` (out of page-locked memory).

    The copies of one frame overlap with the network's work on the frame of another runner. Frames
    in page-locked memory (``restore_rt.gpu.pinned_empty``) are copied to and from the GPU directly,
    others through such memory.

    Parameters
    ----------
    lane
        Shared by all runners of one model.
    threads
        CPU threads for the CPU's part of the work.
    """

    def __init__(self, lane: Lane, threads: int) -> None:
        self.threads = threads
        self.device = f"cuda:{lane.device.index}"
        self.backend = lane.backend
        self.precision = lane.manifest.precision
        self._lane: Lane | None = lane
        self._lock = threading.Lock()
        self._buffers: OrderedDict[tuple[Any, ...], _Buffers] = OrderedDict()
        self._resident_flag: tuple[DeviceArray, NDArray[np.uint32]] | None = None
        with lane.device.active():
            self._copies = lane.device.stream()

    @property
    def tile(self) -> tuple[int, int] | None:
        """See ``FrameRunner``; reduced when memory runs out."""
        return self._open_lane().tile

    @property
    def description(self) -> str:
        """See ``FrameRunner``."""
        return self._open_lane().description

    def restore_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        stages: StageTimes,
        peak: float | None = None,
    ) -> None:
        """See ``FrameRunner``."""
        self._restore([out], [frame], stages, peak, (0.5, 0.5))

    def restore_colour_into(
        self, out: NDArray[Any], frame: NDArray[Any], *, stages: StageTimes
    ) -> None:
        """See ``FrameRunner``; the CPU converts colour, which is the stage ``chroma``."""
        restore_luma_apart(self, out, frame, stages=stages)

    def restore_planes_into(self, out: Planes, planes: Planes, *, stages: StageTimes) -> None:
        """See ``FrameRunner``."""
        sources = [p for p in (planes.y, planes.cb, planes.cr) if p is not None]
        targets = [p for p in (out.y, out.cb, out.cr) if p is not None]
        self._restore(targets, sources, stages, planes.peak, planes.chroma_phase)

    @contextmanager
    def used(self) -> Iterator[tuple[Device, Stream]]:
        """Reserve the device for one resident frame; yield the device and the lane's stream."""
        with self._lock:
            lane = self._open_lane()
            with lane.device.active(), self._settled(lane):
                yield lane.device, self._copies

    def restore_resident(
        self,
        out: DeviceArray,
        frame: DeviceArray,
        *,
        chroma: Sequence[tuple[DeviceArray, DeviceArray]] = (),
        peak: float | None = None,
        shift: int = 0,
        phase: tuple[float, float] = (0.5, 0.5),
        stages: StageTimes,
    ) -> None:
        """Restore a frame within the GPU's memory; only within ``used``.

        Parameters
        ----------
        out, frame
            (s*H, s*W) or (s*H, s*W, C), and (H, W) or (H, W, C) with the network's channels. What
            was queued before on the stream that ``used`` gives comes first.
        chroma
            Pairs of a target plane (or two interleaved ones) and its source.
        peak, shift, phase
            As of ``Task``.
        stages
            Receives the time of the stage ``device``.

        Raises
        ------
        BackendError, NonFiniteError
            As ``restore_into``.
        """
        lane = self._open_lane()
        planes = tuple(Plane(target, source) for target, source in chroma)
        flag, raised = self._flag()
        task = Task(frame, out, flag, planes, peak=peak, shift=shift, phase=phase)
        with stages.measure("device"):
            ready = lane.device.event()
            ready.record(self._copies)
            for wide in (False, True) if lane.can_widen else (False,):
                self._copies.wait(lane.queue(task, after=ready, wide=wide))
                download_async(raised, flag, self._copies)
                self._copies.synchronize()
                if not raised[0]:
                    return
        raise NonFiniteError(
            f"{lane.manifest.name} returned NaN or infinity for this frame; nothing was delivered"
        )

    def empty(self, shape: Sequence[int], dtype: np.dtype[Any]) -> DeviceArray:
        """Return uninitialized GPU memory."""
        lane = self._open_lane()
        try:
            return lane.pool.empty(shape, dtype)
        except OutOfMemoryError:
            # What other sizes left behind may be all that stands in the way.
            self._buffers.clear()
            lane.release()
            return lane.pool.empty(shape, dtype)

    def close(self) -> None:
        """See ``FrameRunner``."""
        with self._lock:
            if self._lane is None:
                return
            with self._lane.device.active():
                self._copies.synchronize()
                self._buffers.clear()
                self._resident_flag = None
            self._lane = None

    def _open_lane(self) -> Lane:
        if self._lane is None:
            raise RestoreError("this Restorer is closed; load the model again")
        return self._lane

    def _restore(
        self,
        targets: Sequence[NDArray[Any]],
        sources: Sequence[NDArray[Any]],
        stages: StageTimes,
        peak: float | None,
        phase: tuple[float, float],
    ) -> None:
        with self._lock:
            lane = self._open_lane()
            with lane.device.active(), self._settled(lane):
                buffers = self._buffers_for(lane, sources, targets, peak, phase)
                with stages.measure("upload"):
                    self._upload(buffers.sources, sources)
                    ready = lane.device.event()
                    ready.record(self._copies)
                with stages.measure("device"):
                    direct = self._run(lane, buffers, targets, ready, wide=False)
                    if buffers.flag.on_host[0][0]:
                        if not lane.can_widen:
                            raise not_finite(lane.manifest.name, sources[0])
                        direct = self._run(lane, buffers, targets, None, wide=True)
                        if buffers.flag.on_host[0][0]:
                            raise not_finite(lane.manifest.name, sources[0])
                if not direct:
                    with stages.measure("download"):
                        for target, staged in zip(targets, buffers.targets.on_host, strict=True):
                            np.copyto(target, staged)

    @contextmanager
    def _settled(self, lane: Lane) -> Iterator[None]:
        """On an error, wait until no work uses the caller's memory, then raise it."""
        try:
            yield
        except BaseException:
            lane.finish()
            with suppress(BackendError):
                self._copies.synchronize()
            raise

    def _upload(self, packed: _Packed, arrays: Sequence[NDArray[Any]]) -> None:
        if all(map(is_pinned, arrays)):
            for device, array in zip(packed.on_device, arrays, strict=True):
                upload_async(device, array, self._copies)
            return
        for staged, array in zip(packed.on_host, arrays, strict=True):
            np.copyto(staged, array)
        upload_async(packed.device, packed.host, self._copies)

    def _run(
        self,
        lane: Lane,
        buffers: _Buffers,
        targets: Sequence[NDArray[Any]],
        ready: Any,
        *,
        wide: bool,
    ) -> bool:
        """Run a frame and wait for its result; return whether it is already in the targets."""
        self._copies.wait(lane.queue(buffers.task, after=ready, wide=wide))
        download_async(buffers.flag.on_host[0], buffers.flag.on_device[0], self._copies)
        direct = all(map(is_pinned, targets))
        if direct:
            for target, device in zip(targets, buffers.targets.on_device, strict=True):
                download_async(target, device, self._copies)
        else:
            download_async(buffers.targets.host, buffers.targets.device, self._copies)
        self._copies.synchronize()
        return direct

    def _flag(self) -> tuple[DeviceArray, NDArray[np.uint32]]:
        """Return the flag of resident frames, on the device and on the host."""
        if self._resident_flag is None:
            flag = self.empty((1,), np.dtype(np.uint32))
            self._resident_flag = flag, pinned_empty((1,), np.uint32)
        return self._resident_flag

    def _buffers_for(
        self,
        lane: Lane,
        sources: Sequence[NDArray[Any]],
        targets: Sequence[NDArray[Any]],
        peak: float | None,
        phase: tuple[float, float],
    ) -> _Buffers:
        key = (*((a.shape, a.dtype.str) for a in (*sources, *targets)), peak, phase)
        buffers = self._buffers.get(key)
        if buffers is None:
            while len(self._buffers) >= _BUFFERS_KEPT:
                self._buffers.popitem(last=False)
            try:
                buffers = _Buffers(lane, sources, targets, peak, phase)
            except OutOfMemoryError:
                # What other sizes left behind may be all that stands in the way.
                self._buffers.clear()
                lane.release()
                buffers = _Buffers(lane, sources, targets, peak, phase)
            self._buffers[key] = buffers
        self._buffers.move_to_end(key)
        return buffers
