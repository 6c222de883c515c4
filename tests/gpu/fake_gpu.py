"""A GPU in host memory, and a stream that does its work when it is waited for."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import OutOfMemoryError

if TYPE_CHECKING:
    from restore_rt.gpu.array import DeviceArray
    from restore_rt.gpu.driver import Device, Stream
    from restore_rt.gpu.memory import Pool

_streams: dict[int, StandInStream] = {}
_here = threading.local()


class StandInStream:
    """Work is done in order, when something waits; ``waits`` counts that."""

    def __init__(self) -> None:
        self.handle = 0x7F00_0000_0000 + 16 * len(_streams)
        self.queue: list[Callable[[], None]] = []
        self.waits = 0
        _streams[self.handle] = self

    def synchronize(self) -> None:
        self.waits += 1
        while self.queue:
            self.queue.pop(0)()


def stream_at(handle: int) -> StandInStream:
    """Return the stream of a handle, as a library knows it."""
    return _streams[handle]


class StandInDevice:
    """Counts how deep its context is pushed."""

    def __init__(self, name: str, capability: tuple[int, int], index: int = 0) -> None:
        self.name, self.capability, self.index = name, capability, index
        self.depth = 0

    @contextmanager
    def active(self) -> Iterator[None]:
        before = depth_here()
        _here.depth = before + 1
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
            _here.depth = before


def depth_here() -> int:
    """Return how often a context is pushed on this thread."""
    depth: int = getattr(_here, "depth", 0)
    return depth


class StandInArray:
    """An array at an address that is a multiple of 256."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, *, shift: int = 0) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self.is_contiguous, self.strides = True, ()
        self.streams: set[Any] = set()
        size = int(np.prod(shape)) * self.dtype.itemsize
        self._memory = np.full(size + 512, 0xA5, np.uint8)
        start = -self._memory.ctypes.data % 256 + shift
        self.pointer = self._memory.ctypes.data + start
        self.values = self._memory[start : start + size].view(self.dtype).reshape(self.shape)

    def used_on(self, stream: Any) -> None:
        self.streams.add(stream)


class StandInPool:
    """Gives arrays, and refuses beyond a limit."""

    def __init__(self, limit: int = 2**30) -> None:
        self.limit = limit
        self.given: list[StandInArray] = []

    def empty(self, shape: tuple[int, ...], dtype: Any, *, pitch: bool = False) -> StandInArray:
        array = StandInArray(shape, dtype)
        if array.values.nbytes > self.limit:
            raise OutOfMemoryError(f"no room for {array.values.nbytes} bytes")
        self.given.append(array)
        return array


class Gpu:
    """A device with a stream and a pool, each also as the type that it stands in for."""

    def __init__(
        self, name: str = "NVIDIA GeForce RTX 4070", capability: tuple[int, int] = (8, 9)
    ) -> None:
        self.device_ = StandInDevice(name, capability)
        self.stream_ = StandInStream()
        self.pool_ = StandInPool()

    @property
    def device(self) -> Device:
        return cast("Device", self.device_)

    @property
    def stream(self) -> Stream:
        return cast("Stream", self.stream_)

    @property
    def pool(self) -> Pool:
        return cast("Pool", self.pool_)

    def array(self, values: NDArray[Any], *, shift: int = 0) -> DeviceArray:
        """Return an array in the memory of the GPU."""
        made = StandInArray(values.shape, values.dtype, shift=shift)
        made.values[...] = values
        return cast("DeviceArray", made)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        return cast("DeviceArray", StandInArray(shape, dtype))

    def values(self, array: DeviceArray) -> NDArray[Any]:
        """Return what is there when the stream has done its work."""
        self.stream_.synchronize()
        values: NDArray[Any] = cast(StandInArray, array).values
        return values.copy()


def at(pointer: int, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return the memory at an address, as a kernel sees it."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    raw = (ctypes.c_uint8 * size).from_address(pointer)
    return np.frombuffer(raw, kind).reshape(shape)
