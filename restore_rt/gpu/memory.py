"""Pooled memory on a GPU, and page-locked memory on the host."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from restore_rt.errors import InputError, OutOfMemoryError
from restore_rt.gpu.array import DeviceArray, Owner
from restore_rt.gpu.driver import Allocation, Device, Event, Stream, active_device
from restore_rt.gpu.faults import Checked

__all__ = ["DeviceArray", "Pool", "is_pinned", "pinned_empty"]

# Also where rows begin that are spread: TensorRT and coalesced accesses like it.
ALIGNMENT = 256

# Blocks of a size whose users nobody knows: one wait for the whole GPU frees so many.
_UNCLEAR_KEPT = 4


@dataclass(eq=False)
class _Return:
    """A returned block, and the streams that used it."""

    block: Allocation
    streams: set[Stream | None]
    lent: bool


class Pool:
    """A pool of GPU memory, because allocation by the driver stops the GPU.

    Returned memory is reused only after the work that was queued on it at its return has run.
    Arrays know this work from ``used_on``, which copies call, and from the pool's own stream. If
    neither is known, the whole GPU is synchronized.

    Several threads may use the pool; while a stream is captured the others wait, and the capturing
    thread must not use the pool.

    Parameters
    ----------
    device
        The GPU.
    limit
        The most bytes to hold, used or not; None for no limit.
    stream
        The stream that uses arrays unless ``used_on`` names another.
    """

    def __init__(
        self, device: Device, limit: int | None = None, *, stream: Stream | None = None
    ) -> None:
        self.device = device
        self.limit = limit
        self.stream = stream
        self._lock = threading.Lock()
        # Filled by whoever ends an array, and that may be the garbage collector, anywhere: without
        # the lock.
        self._returned: deque[_Return] = deque()
        self._pending: deque[tuple[Allocation, list[Event]]] = deque()
        # Whose users nobody knows.
        self._unclear: list[Allocation] = []
        self._free: defaultdict[int, list[Allocation]] = defaultdict(list)
        self._events: list[Event] = []
        self._held = 0
        self._idle = 0

    def empty(self, shape: Sequence[int], dtype: DTypeLike, *, pitch: bool = False) -> DeviceArray:
        """Return an uninitialized array; its memory returns to the pool when the array is deleted.

        Parameters
        ----------
        shape, dtype
            As NumPy's.
        pitch
            Align rows (all axes but the first) to 256 bytes, as the whole array always is.

        Raises
        ------
        InputError
            A side is 0 or less.
        OutOfMemoryError
            The limit or the GPU's memory is exhausted.
        """
        shape, kind = tuple(int(side) for side in shape), np.dtype(dtype)
        if not shape or min(shape) < 1:
            raise InputError(f"the shape is {shape}; there must be sides, and none below 1")
        strides: tuple[int, ...] | None = None
        size = prod(shape) * kind.itemsize
        if pitch:
            row = -(-size // shape[0] // ALIGNMENT) * ALIGNMENT
            tight = DeviceArray(0, shape, kind, device=self.device).strides
            strides = (row, *tight[1:])
            size = shape[0] * row
        block = self._take(_rounded(size))
        owner = _Lease(self, block)
        return DeviceArray(
            block.pointer, shape, kind, strides=strides, device=self.device, owner=owner
        )

    @property
    def bytes_in_use(self) -> int:
        """Bytes of arrays in use, rounded up to block sizes."""
        with self.device.active(), self.device.exclusive, self._lock:
            self._settle()
            return self._held - self._idle

    @property
    def bytes_held(self) -> int:
        """Bytes taken from the driver, in use or not."""
        return self._held

    def trim(self) -> None:
        """Return unused blocks to the driver, once the work on them has run."""
        with self.device.active():
            with self.device.exclusive, self._lock:
                self._trim()
            self.device.sweep()

    def _take(self, size: int) -> Allocation:
        with self.device.active(), self.device.exclusive, self._lock:
            self._settle()
            self._reclaim()
            unclear = sum(block.size == size for block in self._unclear)
            if not self._free[size] and (self._would_exceed(size) or unclear >= _UNCLEAR_KEPT):
                # Rather wait for the same size than free and take anew.
                self._wait(size)
            if self._free[size]:
                self._idle -= size
                return self._free[size].pop()
            if self._would_exceed(size):
                self._trim()
            if self._would_exceed(size):
                raise OutOfMemoryError(
                    f"{size} bytes more on {self.device.name} would exceed the limit of "
                    f"{self.limit}, of which {self._held} are in use: raise the limit, or give "
                    "smaller frames or tiles"
                )
            try:
                block = self.device.allocate(size)
            except OutOfMemoryError:
                self._trim()
                self.device.sweep()
                block = self.device.allocate(size)
            self._held += size
            return block

    def _would_exceed(self, size: int) -> bool:
        return self.limit is not None and self._held + size > self.limit

    def _settle(self) -> None:
        """Determine the events that returned blocks wait for."""
        while self._returned:
            back = self._returned.popleft()
            self._idle += back.block.size
            streams = back.streams
            if self.stream is not None:
                streams.add(self.stream)
            if back.lent or not streams:
                self._unclear.append(back.block)
                continue
            events = []
            for stream in streams:
                event = self._events.pop() if self._events else self.device.event()
                event.record(stream)
                events.append(event)
            self._pending.append((back.block, events))

    def _reclaim(self) -> None:
        """Make blocks reusable whose work has run."""
        for _ in range(len(self._pending)):
            block, events = self._pending.popleft()
            if all(event.done() for event in events):
                self._release(block, events)
            else:
                self._pending.append((block, events))

    def _wait(self, size: int | None = None) -> None:
        """Wait for one block of a size, or for all."""
        for _ in range(len(self._pending)):
            block, events = self._pending.popleft()
            if size is not None and (block.size != size or self._free[size]):
                self._pending.append((block, events))
                continue
            for event in events:
                event.synchronize()
            self._release(block, events)
        if self._unclear and not (size is not None and self._free[size]):
            self.device.synchronize()
            for block in self._unclear:
                self._release(block, [])
            self._unclear.clear()

    def _release(self, block: Allocation, events: list[Event]) -> None:
        self._free[block.size].append(block)
        self._events.extend(events)

    def _trim(self) -> None:
        self._settle()
        self._wait()
        for blocks in self._free.values():
            while blocks:
                block = blocks.pop()
                block.free()
                self._held -= block.size
                self._idle -= block.size
        self._free.clear()


class _Lease(Owner):
    """A block of a pool that holds arrays."""

    def __init__(self, pool: Pool, block: Allocation) -> None:
        self._pool = pool
        self._block = block
        self._streams: set[Stream | None] = set()
        self._lent = False

    def __del__(self) -> None:
        self.release()

    def used_on(self, stream: Stream | None) -> None:
        self._streams.add(stream)

    def lend(self) -> None:
        self._lent = True

    def release(self) -> None:
        if not self.released:
            self.released = True
            self._pool._returned.append(_Return(self._block, self._streams, self._lent))


class _Pinned:
    """Owner of pycuda's page-locked memory, which must be freed where the context is current."""

    def __init__(self, device: Device, raw: NDArray[Any]) -> None:
        self._device = device
        self._raw = raw
        self.__array_interface__ = raw.__array_interface__

    def __del__(self) -> None:
        self._device.bury_memory(self.__dict__.pop("_raw"))


def pinned_empty(
    shape: Sequence[int], dtype: DTypeLike, *, device: Device | None = None
) -> NDArray[Any]:
    """Return an uninitialized array in page-locked memory; slow, so keep the array for reuse.

    Parameters
    ----------
    shape, dtype
        As NumPy's.
    device
        A GPU; by default the one that is active on this thread. Every GPU can copy from and to the
        array.

    Raises
    ------
    InputError
        A side is 0 or less.
    OutOfMemoryError
        The system refuses to lock more memory.
    BackendError
        No GPU is active.
    """
    shape = tuple(int(side) for side in shape)
    if not shape or min(shape) < 1:
        raise InputError(f"the shape is {shape}; there must be sides, and none below 1")
    device = active_device() if device is None else device
    with device.active(), device.exclusive, Checked("lock memory of the host", device):
        raw = device.library.pagelocked_empty(shape, np.dtype(dtype))
    return np.asarray(_Pinned(device, raw))


def is_pinned(array: NDArray[Any]) -> bool:
    """Return whether an array is C-contiguous and lies in memory from ``pinned_empty``.

    A GPU copies such arrays directly. Page-locked memory of other libraries is not recognised.
    """
    base: object = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return isinstance(base, _Pinned) and array.flags.c_contiguous


def _rounded(size: int) -> int:
    """Return an array's block size, rounded up by an eighth at most so that few sizes occur."""
    step = max(ALIGNMENT, 1 << max(size.bit_length() - 4, 0))
    return -(-size // step) * step
