"""The part of pycuda that is about memory, and what all its objects have in common."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tests.gpu.emulation.memory import Block
from tests.gpu.emulation.queues import MisuseError

if TYPE_CHECKING:
    from tests.gpu.emulator import Emulator

__all__ = ["Functions", "Memcpy2D", "Owned", "to_int"]


class Owned:
    """What needs its context to be destroyed."""

    emulator: Emulator
    __slots__ = ("_context", "_ended")

    def _begin(self) -> None:
        self._context = self.emulator.context()
        self._ended = False

    def _end(self, what: str, end: Callable[[], None]) -> None:
        if getattr(self, "_ended", True):
            return
        self._ended = True
        context = self._context
        if not context.valid:
            return
        at_home = threading.get_ident() == context.thread
        if self.emulator.library.Context.get_current() is not context and not at_home:
            self.emulator.faults.append(
                f"{what} was destroyed on another thread without its context, and leaks"
            )
            return
        with self.emulator.queues.lock:
            try:
                end()
            except MisuseError as error:
                self.emulator.faults.append(f"{what} was destroyed: {error}")


class _Allocation(Owned):
    """Of either kind; it stands in for ``DeviceAllocation`` and ``PagelockedHostAllocation``."""

    __slots__ = ("__array_interface__", "__weakref__", "_block", "emulator")
    __array_interface__: dict[str, Any]

    def __init__(self, emulator: Emulator, block: Block) -> None:
        self.emulator = emulator
        self._block = block
        self._begin()

    def __del__(self) -> None:
        self._end(self._block.kind, self._give_back)

    def __int__(self) -> int:
        return self._block.start

    def free(self) -> None:
        if self._ended:
            raise self.emulator.library.LogicError("device_allocation::free: invalid handle")
        self.emulator.context()
        self._end(self._block.kind, self._give_back)

    def _give_back(self) -> None:
        emulator, block = self.emulator, self._block
        emulator.refuse_capturing()
        if emulator.queues.pending_on(block.start, block.size):
            raise MisuseError("work that was queued is still going to touch it")
        emulator.memory_of(block).give_back(block.start)


class Memcpy2D:
    emulator: Emulator
    __slots__ = (
        "_from",
        "_onto",
        "dst_pitch",
        "height",
        "src_pitch",
        "width_in_bytes",
    )

    def __init__(self) -> None:
        self.src_pitch = self.dst_pitch = self.width_in_bytes = self.height = 0

    def set_src_host(self, array: Any) -> None:
        self._from = (array, False)

    def set_src_device(self, pointer: int) -> None:
        self._from = (to_int(pointer), True)

    def set_dst_host(self, array: Any) -> None:
        if not array.flags.writeable:
            raise BufferError("buffer source array is read-only")
        self._onto = (array, False)

    def set_dst_device(self, pointer: int) -> None:
        self._onto = (to_int(pointer), True)

    def __call__(self, stream: Any) -> None:
        width, height = to_int(self.width_in_bytes), to_int(self.height)
        ends = []
        pitches = self.src_pitch, self.dst_pitch
        for (place, on_device), pitch in zip((self._from, self._onto), pitches, strict=True):
            if to_int(pitch) < width or not width or not height:
                raise self.emulator.library.LogicError("cuMemcpy2DAsync failed: invalid argument")
            start = place if on_device else place.ctypes.data
            ends.append((start, pitch, on_device))
        self.emulator.copy(stream, ends[0], ends[1], width, height)


class Functions:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def init(self, flags: int = 0) -> None:
        self._emulator.initialised = True

    def mem_alloc(self, size: int) -> Any:
        emulator = self._emulator
        with emulator.call():
            emulator.refuse_capturing()
            if to_int(size) < 1:
                raise emulator.library.LogicError("cuMemAlloc failed: invalid argument")
            if emulator.memory.used + size > emulator.capacity:
                raise emulator.library.MemoryError("cuMemAlloc failed: out of memory")
            emulator.allocations += 1
            return _Allocation(emulator, emulator.memory.take(size, "memory of the GPU"))

    def mem_get_info(self) -> tuple[int, int]:
        emulator = self._emulator
        with emulator.call():
            return emulator.capacity - emulator.memory.used, emulator.capacity

    def pagelocked_empty(
        self, shape: Any, dtype: Any, order: str = "C", mem_flags: int = 0
    ) -> NDArray[Any]:
        emulator = self._emulator
        with emulator.call():
            emulator.refuse_capturing()
            like = np.empty(shape, dtype, "C" if order == "C" else "F")
            if not like.size:
                raise emulator.library.LogicError("cuMemHostAlloc failed: invalid argument")
            block = emulator.pinned.take(like.nbytes, "page-locked memory")
            owner = _Allocation(emulator, block)
        owner.__array_interface__ = {
            **like.__array_interface__,
            "data": (block.start, False),
        }
        return np.asarray(owner)

    def memcpy_htod(self, dest: int, src: Any) -> None:
        """Copy at once: what streams have queued is not waited for, as theirs do not block."""
        self._copy_now(to_int(dest), src.ctypes.data, to_int(dest), _contiguous(src))

    def memcpy_dtoh(self, dest: Any, src: int) -> None:
        self._copy_now(dest.ctypes.data, to_int(src), to_int(src), _contiguous(dest))

    def _copy_now(self, onto: int, since: int, on_device: int, size: int) -> None:
        with self._emulator.call():
            self._emulator.memory.check(on_device, size, "a copy")
            ctypes.memmove(onto, since, size)

    def memcpy_htod_async(self, dest: int, src: Any, stream: Any = None) -> None:
        size = _contiguous(src)
        ends = ((src.ctypes.data, size, False), (to_int(dest), size, True))
        self._emulator.copy(stream, *ends, size, 1)

    def memcpy_dtoh_async(self, dest: Any, src: int, stream: Any = None) -> None:
        size = _contiguous(dest)
        if not dest.flags.writeable:
            raise BufferError("buffer source array is read-only")
        ends = ((to_int(src), size, True), (dest.ctypes.data, size, False))
        self._emulator.copy(stream, *ends, size, 1)

    def memcpy_dtod_async(self, dest: int, src: int, size: int, stream: Any = None) -> None:
        ends = ((to_int(src), size, True), (to_int(dest), size, True))
        self._emulator.copy(stream, *ends, to_int(size), 1)

    def memset_d8_async(self, dest: int, data: int, size: int, stream: Any = None) -> None:
        self.memset_d2d8_async(dest, size, data, size, 1, stream)

    def memset_d2d8_async(
        self, dest: int, pitch: int, data: int, width: int, height: int, stream: Any = None
    ) -> None:
        emulator, start, value = self._emulator, to_int(dest), to_int(data)
        size = (to_int(height) - 1) * to_int(pitch) + to_int(width)

        def run() -> None:
            emulator.memory.check(start, size, "clearing")
            for row in range(height):
                ctypes.memset(start + row * pitch, value, width)

        emulator.memory.check(start, size, "clearing")
        emulator.put(stream, run, [(start, size)])


def to_int(value: Any) -> int:
    """Return what Boost.Python takes for an integer: Python's, not NumPy's."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is {type(value).__name__}; Boost.Python takes int alone")
    return value


def _contiguous(array: Any) -> int:
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        raise BufferError("ndarray is not contiguous")
    return int(array.nbytes)
