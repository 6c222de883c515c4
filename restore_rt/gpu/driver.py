"""A GPU through NVIDIA's driver: its context, streams and events. Nothing else imports pycuda.

pycuda's objects must be destroyed where their context is current, but Python may destroy them on
any thread. Objects of this module are therefore buried when they end, and destroyed at the GPU's
next use.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from restore_rt.errors import BackendError, InputError
from restore_rt.gpu.faults import Checked

__all__ = ["Allocation", "Device", "Event", "Stream", "active_device", "open_device"]

# CU_STREAM_NON_BLOCKING of cuda.h, which pycuda does not name: no waiting for the default stream.
_NON_BLOCKING = 1

_devices: dict[int, Device] = {}
_opening = threading.Lock()


class _Thread(threading.local):
    """The devices that are active on a thread, the current one last."""

    def __init__(self) -> None:
        self.active: list[Device] = []


_thread = _Thread()


class Device:
    """A GPU; opened by ``open_device``.

    Attributes
    ----------
    index
        CUDA's number of the GPU, among those that ``CUDA_VISIBLE_DEVICES`` admits.
    name
        The product name.
    capability
        Its compute capability, major and minor.
    total_memory
        In bytes.
    library
        ``pycuda.driver``.
    exclusive
        Held while a CUDA graph is captured, and by every operation that a capture forbids on all
        threads: allocating and freeing memory, synchronizing the whole GPU.
    """

    def __init__(self, index: int, library: Any) -> None:
        raw = library.Device(index)
        self.index = index
        self.library = library
        self.name: str = raw.name()
        self.capability: tuple[int, int] = tuple(raw.compute_capability())
        self.total_memory: int = int(raw.total_memory())
        self.exclusive = threading.RLock()
        # The one that ONNX Runtime, TensorRT and torch use. Retained once: pycuda takes two
        # retained objects for two contexts.
        self._context = raw.retain_primary_context()
        self._activation = _Activation(self)
        self._buried: deque[Any] = deque()
        self._buried_memory: deque[Any] = deque()
        # Destroy a stream or an event of pycuda at the next use, and memory once the GPU has
        # nothing left to do.
        self.bury: Callable[[Any], None] = self._buried.append
        self.bury_memory: Callable[[Any], None] = self._buried_memory.append
        self._kept: deque[tuple[Event, tuple[object, ...]]] = deque()
        # What is let go of may sweep as well, on the same thread.
        self._sweeping = threading.RLock()
        self._busy = 0

    def __repr__(self) -> str:
        return f"<Device {self.index}: {self.name}>"

    def active(self) -> _Activation:
        """Return a context in which this thread uses the GPU; nesting costs nothing.

        The context belongs to the thread: do not keep it open over a ``yield``, and do not end a
        thread within it.
        """
        return self._activation

    def stream(self) -> Stream:
        """Return a new stream, which does not wait for the default stream."""
        with self.active(), Checked("make a stream", self):
            return Stream(self, self.library.Stream(_NON_BLOCKING))

    def event(self, *, timed: bool = False) -> Event:
        """Return a new event, which records the time only if ``timed``, as this is slower."""
        kinds = self.library.event_flags
        with self.active(), Checked("make an event", self):
            kind = kinds.DEFAULT if timed else kinds.DISABLE_TIMING
            return Event(self, self.library.Event(kind))

    def allocate(self, size: int) -> Allocation:
        """Allocate memory from the driver, which is slow; ``Pool`` keeps memory for reuse.

        Raises
        ------
        OutOfMemoryError
            The GPU has too little memory.
        """
        with self.active(), self.exclusive, Checked(f"take {size} bytes", self):
            return Allocation(self, self.library.mem_alloc(size), size)

    def synchronize(self) -> None:
        """Wait for all work that this process has queued on the GPU."""
        with self.active(), self.exclusive, Checked("run what was queued", self):
            self.library.Context.synchronize()

    @contextmanager
    def capturing(self) -> Iterator[bool]:
        """Context that yields whether a stream may be captured within it."""
        if not self.exclusive.acquire(blocking=False):
            yield False
            return
        try:
            yield not self._busy
        finally:
            self.exclusive.release()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Context for long work that forbids every capture: building and loading networks."""
        with self.exclusive:
            self._busy += 1
        try:
            yield
        finally:
            with self.exclusive:
                self._busy -= 1

    def keep(self, stream: Stream, *objects: object) -> None:
        """Keep objects alive until the work queued on a stream by now has run."""
        event = self.event()
        event.record(stream)
        self._kept.append((event, objects))

    def sweep(self) -> None:
        """Destroy buried objects, and drop objects that were kept for work that has run."""
        with self.active():
            self._sweep()

    def _sweep(self) -> None:
        with self._sweeping:
            while self._kept and self._kept[0][0].done():
                self._kept.popleft()
        self._buried.clear()
        # Not to be waited for: a capture may take long, and it is never urgent.
        if self._buried_memory and self.exclusive.acquire(blocking=False):
            try:
                dead = [self._buried_memory.popleft() for _ in range(len(self._buried_memory))]
                with Checked("run what was queued", self):
                    self.library.Context.synchronize()
                dead.clear()
            finally:
                self.exclusive.release()


class Stream:
    """Work that runs in the order in which it is queued; ``Device.stream`` makes one.

    Attributes
    ----------
    device
        The stream's GPU.
    handle
        Passed to kernels, ONNX Runtime and TensorRT; valid as long as this object.
    """

    def __init__(self, device: Device, raw: Any) -> None:
        self.device = device
        self.raw = raw
        self.handle: int = int(raw.handle)

    def __del__(self) -> None:
        raw = self.__dict__.pop("raw", None)
        if raw is not None:
            self.device.bury(raw)

    def synchronize(self) -> None:
        """Wait until all queued work has run.

        Raises
        ------
        BackendError
            Some of it failed.
        """
        with self.device.active(), Checked("run what was queued", self.device):
            self.raw.synchronize()

    def wait(self, event: Event) -> None:
        """Make work queued from now on wait for an event, as last recorded."""
        with self.device.active(), Checked("wait for an event", self.device):
            self.raw.wait_for_event(event.raw)


class Event:
    """A place in a stream's work; ``Device.event`` makes one."""

    def __init__(self, device: Device, raw: Any) -> None:
        self.device = device
        self.raw = raw

    def __del__(self) -> None:
        raw = self.__dict__.pop("raw", None)
        if raw is not None:
            self.device.bury(raw)

    def record(self, stream: Stream | None) -> None:
        """Mark the end of the work queued on a stream by now; None is CUDA's default stream."""
        with self.device.active(), Checked("record an event", self.device):
            self.raw.record(None if stream is None else stream.raw)

    def synchronize(self) -> None:
        """Wait until the work before the event has run; return at once if it was never recorded.

        Raises
        ------
        BackendError
            Some of it failed.
        """
        with self.device.active(), Checked("run what was queued", self.device):
            self.raw.synchronize()

    def seconds_since(self, earlier: Event) -> float:
        """Return the GPU seconds since an earlier event; both must be timed and done."""
        with self.device.active(), Checked("tell the time", self.device):
            return float(earlier.raw.time_till(self.raw)) / 1e3

    def done(self) -> bool:
        """Return whether the work before the event has run; True if it was never recorded."""
        with self.device.active(), Checked("run what was queued", self.device):
            return bool(self.raw.query())


class Allocation:
    """Memory from the driver.

    Attributes
    ----------
    pointer
        The first address, a multiple of 256.
    size
        In bytes.
    """

    def __init__(self, device: Device, raw: Any, size: int) -> None:
        self.device = device
        self.raw = raw
        self.pointer = int(raw)
        self.size = size

    def __del__(self) -> None:
        raw = self.__dict__.pop("raw", None)
        if raw is not None:
            self.device.bury_memory(raw)

    def free(self) -> None:
        """Return the memory to the driver; no work on it may be pending."""
        raw = self.__dict__.pop("raw", None)
        if raw is not None:
            with self.device.active(), self.device.exclusive, Checked("free memory", self.device):
                raw.free()


class _Activation:
    """The context that ``Device.active`` returns; it has no state, so all threads share it."""

    __slots__ = ("_device",)

    def __init__(self, device: Device) -> None:
        self._device = device

    def __enter__(self) -> None:
        device, active = self._device, _thread.active
        if active and active[-1] is device:
            active.append(device)
            return
        with Checked("be used", device):
            device._context.push()
        active.append(device)
        if device._buried or device._buried_memory or device._kept:
            try:
                device._sweep()
            except BaseException:
                self.__exit__()
                raise

    def __exit__(self, *_: object) -> None:
        active = _thread.active
        device = active.pop()
        if not active or active[-1] is not device:
            device.library.Context.pop()


def open_device(index: int = 0) -> Device:
    """Return a GPU; always the same object for the same index.

    Its primary context is used, as ONNX Runtime, TensorRT and torch do.

    Parameters
    ----------
    index
        CUDA's number of the GPU, among those that ``CUDA_VISIBLE_DEVICES`` admits.

    Raises
    ------
    InputError
        There is no such GPU.
    BackendError
        The driver, a GPU or pycuda is missing or fails; the message says what to do.
    """
    with _opening:
        device = _devices.get(index)
        if device is None:
            device = _devices[index] = _open(index)
        return device


def active_device() -> Device:
    """Return the GPU that is active on this thread.

    Raises
    ------
    BackendError
        No GPU is active.
    """
    if not _thread.active:
        raise BackendError("no GPU is active on this thread; use it within `with device.active():`")
    return _thread.active[-1]


def _open(index: int) -> Device:
    try:
        library = importlib.import_module("pycuda.driver")
    except ImportError as error:
        from restore_rt.gpu.pieces import require_gpu

        require_gpu()
        raise BackendError(f"pycuda cannot be imported: {error}") from error
    try:
        library.init()
        count = library.Device.count()
        if not 0 <= index < count:
            raise InputError(
                f"the GPU's index is {index}; allowed are 0 to {count - 1}, as CUDA_VISIBLE_DEVICES"
                " leaves them"
            )
        device = Device(index, library)
    except library.Error as error:
        raise BackendError(
            f"GPU {index} cannot be used: {error}; see whether nvidia-smi works, and whether other "
            "programs have its memory or the GPU for themselves"
        ) from error
    _stay(device)
    return device


def _stay(device: Device) -> None:
    """Keep pycuda from destroying objects when the interpreter ends: the process frees everything.

    pycuda would release its contexts by a call that is not meant for primary contexts, and it warns
    of objects that are destroyed on another thread than the one that opened the device.
    """
    _leak(device._context)
    atexit.register(_leave, device)


def _leave(device: Device) -> None:
    with suppress(BackendError):
        device.sweep()
    device.bury = device.bury_memory = _leak


def _leak(raw: Any, keep: Callable[[Any], None] = ctypes.pythonapi.Py_IncRef) -> None:
    keep(ctypes.py_object(raw))
