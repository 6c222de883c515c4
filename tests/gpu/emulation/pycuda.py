"""What of ``pycuda.driver`` is used, with its signatures and its habits, over queues and memory.

pycuda destroys its objects only where their context is current, or on the thread that retained it;
elsewhere it warns and leaks, which is a fault here.
"""

from __future__ import annotations

import threading
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.gpu.emulation.pycuda_memory import Functions, Memcpy2D, Owned, to_int
from tests.gpu.emulation.queues import Mark, MisuseError, Queue

if TYPE_CHECKING:
    from tests.gpu.emulator import Emulator

__all__ = ["make_driver"]


def make_driver(emulator: Emulator) -> ModuleType:
    """Return a module that stands in for ``pycuda.driver``."""
    module = ModuleType("pycuda.driver")
    for name in ("MemoryError", "LogicError", "LaunchError", "RuntimeError"):
        setattr(module, name, type(name, (_Error,), {"__module__": "pycuda._driver"}))
    fake: Any = module
    fake.Error = _Error
    fake.event_flags = SimpleNamespace(DEFAULT=0, BLOCKING_SYNC=1, DISABLE_TIMING=2)
    for kind in (_Device, _Context, _Stream, _Event, Memcpy2D):
        name = kind.__name__.lstrip("_")
        bound = type(name, (kind,), {"emulator": emulator, "__slots__": ()})
        setattr(module, name, bound)
    functions = Functions(emulator)
    for name in dir(functions):
        if not name.startswith("_"):
            setattr(module, name, getattr(functions, name))
    return module


class _Error(Exception):
    """``pycuda.driver.Error``."""


class _Device:
    emulator: Emulator
    __slots__ = ("_index",)

    def __init__(self, index: int) -> None:
        emulator = self.emulator
        if not emulator.initialised:
            raise emulator.library.LogicError("cuDeviceGet failed: initialization error")
        if not 0 <= to_int(index) < emulator.devices:
            raise emulator.library.LogicError("cuDeviceGet failed: invalid device ordinal")
        self._index = index

    @classmethod
    def count(cls) -> int:
        return cls.emulator.devices

    def name(self) -> str:
        return f"Emulated GPU {self._index}"

    def compute_capability(self) -> tuple[int, int]:
        return 8, 9

    def total_memory(self) -> int:
        return self.emulator.capacity

    def retain_primary_context(self) -> Any:
        return self.emulator.library.Context(self._index)


class _Context:
    emulator: Emulator
    __slots__ = ("device", "thread", "valid")

    def __init__(self, device: int) -> None:
        self.device, self.thread, self.valid = device, threading.get_ident(), True

    def push(self) -> None:
        self.emulator.contexts.append(self)

    @classmethod
    def pop(cls) -> None:
        if not cls.emulator.contexts:
            raise cls.emulator.library.LogicError("context::pop failed: invalid device context")
        cls.emulator.contexts.pop()

    @classmethod
    def get_current(cls) -> Any:
        return cls.emulator.contexts[-1] if cls.emulator.contexts else None

    @classmethod
    def synchronize(cls) -> None:
        with cls.emulator.call() as queues:
            queues.finish_all()

    def detach(self) -> None:
        self.valid = False


class _Stream(Owned):
    __slots__ = ("queue",)

    def __init__(self, flags: int = 0) -> None:
        self._begin()
        with self.emulator.call() as queues:
            if to_int(flags) != 1:
                raise MisuseError("the stream would wait for the default stream")
            self.queue = queues.add(self.emulator.new_handle(), self._context.device)

    def __del__(self) -> None:
        self._end("a stream", self._destroy)

    def _destroy(self) -> None:
        self.queue.alive = False

    @property
    def handle(self) -> int:
        return self.queue.handle

    def synchronize(self) -> None:
        with self.emulator.call(self.queue) as queues:
            queues.finish(self.queue)

    def is_done(self) -> bool:
        with self.emulator.call(self.queue):
            return not self.queue.works

    def wait_for_event(self, event: Any) -> None:
        with self.emulator.call(self.queue) as queues:
            queues.wait(event.mark, self.queue)


class _Event(Owned):
    __slots__ = ("mark", "timed", "told")

    def __init__(self, flags: int = 0) -> None:
        self._begin()
        self.timed = to_int(flags) & 2 == 0
        self.told = False
        self.mark = Mark()

    def __del__(self) -> None:
        self._end("an event", self._destroy)

    def _destroy(self) -> None:
        if self.timed and not self.told:
            raise MisuseError("it takes the time, which is slower, and nobody read it")

    def record(self, stream: Any = None) -> Any:
        queue = self.emulator.queue_of(stream)
        with self.emulator.call(queue) as queues:
            queues.record(self.mark, queue)
        return self

    def synchronize(self) -> Any:
        with self.emulator.call() as queues:
            queues.finish_mark(self.mark)
        return self

    def query(self) -> bool:
        with self.emulator.call() as queues:
            return queues.is_reached(self.mark)

    def time_till(self, event: Any) -> float:
        with self.emulator.call() as queues:
            for each in (self, event):
                if not (each.timed and each.mark.queued):
                    raise MisuseError("cuEventElapsedTime failed: invalid resource handle")
                if each.mark.reached < each.mark.queued:
                    raise MisuseError("cuEventElapsedTime failed: not ready")
                each.told = True
            return queues.milliseconds(self.mark, event.mark)


def queue_of(emulator: Emulator, stream: Any) -> Queue:
    """Return a stream's queue; None is the default stream."""
    if stream is None:
        return emulator.queues.find(emulator.default_handle())
    if not isinstance(stream, _Stream):
        raise TypeError(f"{stream!r} is no pycuda.driver.Stream")
    return stream.queue
