"""A GPU that is none: pycuda's driver, NVIDIA's library and the kernels' queue, in this process.

Memory lies at real addresses, so the kernels that were compiled for the host work on it. What is
asynchronous runs late: when somebody waits, in one of the orders that streams and events allow, as
the seed decides. Where a wait is missing, some seeds give wrong data. What CUDA refuses raises as
pycuda does, and is a fault; so is what CUDA would silently do wrong. ``close`` raises if there were
any, so a test that provokes one clears ``faults``.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.machinery
import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from numpy.typing import NDArray

import restore_rt
from restore_rt.gpu import driver, foreign, pieces, properties
from restore_rt.gpu.properties import Gpu
from tests.gpu.emulation import pycuda
from tests.gpu.emulation.library import Library
from tests.gpu.emulation.memory import Block, Memory, view
from tests.gpu.emulation.queues import Captured, MisuseError, Queue, Queues, Span

__all__ = ["Emulator", "MisuseError", "emulation", "run_seeds"]

# Start, bytes from one row to the next, and whether it is the GPU's.
_End = tuple[int, int, bool]


class Emulator:
    """GPUs, their memory, and what was queued.

    Parameters
    ----------
    seed
        Decides in which order work runs.
    capacity
        Bytes of a GPU's memory.
    devices
        How many GPUs there are; they share the memory.

    Attributes
    ----------
    faults
        What went wrong where nothing could be raised.
    allocations
        How often memory was taken from the driver.
    """

    def __init__(self, seed: int = 0, *, capacity: int = 1 << 30, devices: int = 1) -> None:
        self.seed = seed
        self.capacity = capacity
        self.devices = devices
        self.initialised = False
        self.allocations = 0
        self.faults: list[str] = []
        self.memory = Memory()
        self.pinned = Memory()
        self.queues = Queues(seed)
        # As libcuda's do, they look like pointers.
        self._handles = itertools.count(0x7F00_0000_1000, 0x100)
        self._threads = threading.local()
        for handle in (1, 2):
            self.queues.add(handle, 0)
        self.library: Any = pycuda.make_driver(self)
        self.libcuda = Library(self)

    @property
    def contexts(self) -> list[Any]:
        """The contexts that this thread has pushed."""
        if not hasattr(self._threads, "contexts"):
            self._threads.contexts = []
        stack: list[Any] = self._threads.contexts
        return stack

    def context(self) -> Any:
        """Return this thread's context."""
        if not self.contexts:
            raise self.library.LogicError("invalid device context: none is current on this thread")
        return self.contexts[-1]

    @contextmanager
    def call(self, queue: Queue | None = None) -> Iterator[Queues]:
        """Enter the driver, for a stream or for none."""
        context = self.context()
        if queue is not None and queue.handle > 2 and queue.device != context.device:
            raise self.library.LogicError("invalid resource handle: the stream is another GPU's")
        with self.queues.lock:
            try:
                yield self.queues
            except MisuseError as error:
                self.faults.append(str(error))
                raise self.library.LogicError(str(error)) from error

    def refuse_capturing(self) -> None:
        """Refuse what a capture on this thread forbids."""
        if self.queues.is_capturing(thread=threading.get_ident()):
            raise MisuseError("operation not permitted while this thread captures a stream")

    def new_handle(self) -> int:
        """Return a handle that no stream had."""
        return next(self._handles)

    def default_handle(self) -> int:
        """Return the default stream's handle."""
        return 1

    def queue_of(self, stream: Any) -> Queue:
        """Return the queue of a stream of pycuda; None is the default stream."""
        return pycuda.queue_of(self, stream)

    def memory_of(self, block: Block) -> Memory:
        """Return where a piece belongs."""
        return self.memory if block.start in self.memory.live else self.pinned

    def put(self, stream: Any, run: Callable[[], None], spans: Sequence[Span]) -> None:
        """Queue work on a stream of pycuda."""
        queue = self.queue_of(stream)
        with self.call(queue) as queues:
            queues.put(queue, run, spans)

    def copy(self, stream: Any, source: _End, target: _End, width: int, height: int) -> None:
        """Queue a copy of rows."""

        def check() -> list[Span]:
            spans = []
            for (start, pitch, on_device), way in ((source, "from"), (target, "to")):
                size = (height - 1) * pitch + width
                if on_device:
                    self.memory.check(start, size, f"a copy {way} the GPU's memory")
                else:
                    self.pinned.check(start, size, f"a copy {way} page-locked memory")
                spans.append((start, size))
            return spans

        def run() -> None:
            check()
            for row in range(height):
                onto, since = (start + row * pitch for start, pitch, _ in (target, source))
                ctypes.memmove(onto, since, width)

        queue = self.queue_of(stream)
        with self.call(queue) as queues:
            queues.put(queue, run, check())

    # What the kernels for the host call a queue.

    def enqueue(self, stream: int, work: Callable[[], None]) -> None:
        """Queue any work on the stream of a handle."""
        with self.call() as queues:
            queue = queues.find(stream)
            with self.call(queue):
                queues.put(queue, work)

    def begin_capture(self, stream: int) -> None:
        """Record what is queued on a stream from here on."""
        with self.call() as queues:
            queues.begin(queues.find(stream))

    def end_capture(self, stream: int) -> Captured:
        """Return what was recorded."""
        with self.call() as queues:
            return queues.end(queues.find(stream))

    def launch(self, stream: int, captured: Captured) -> None:
        """Queue what was recorded."""
        with self.call() as queues:
            queues.launch(queues.find(stream), captured)

    # What tests ask for.

    def foreign_stream(self, device: int = 0) -> int:
        """Return the handle of a stream that another library made."""
        return self.queues.add(self.new_handle(), device).handle

    def destroy_foreign_stream(self, handle: int) -> None:
        """Let the other library destroy it."""
        self.queues.find(handle).alive = False

    def array(self, array: Any) -> NDArray[Any]:
        """Return an array of the GPU as NumPy's, in place: for work that is queued, and to look."""
        fields = array.__cuda_array_interface__
        shape, strides = tuple(fields["shape"]), fields.get("strides")
        return view(fields["data"][0], shape, fields["typestr"], strides)

    def run_all(self) -> None:
        """Run all that was queued."""
        with self.queues.lock:
            self.queues.finish_all()

    def close(self, *, leaks: bool = True) -> None:
        """Run what is left, and raise if anything went wrong.

        Parameters
        ----------
        leaks
            Whether it is wrong that memory of the GPU, or such that is page-locked, was not freed.
        """
        self.run_all()
        for device in list(driver._devices.values()):
            device.sweep()
            if leaks and (self.memory.live or self.pinned.live):
                gc.collect()
                device.sweep()
        faults = [*self.faults, *self.memory.faults(), *self.pinned.faults()]
        if self.contexts:
            faults.append("a context is still current on this thread")
        if leaks:
            for block in (*self.memory.live.values(), *self.pinned.live.values()):
                faults.append(f"{block.size} bytes of {block.kind} were never freed")
        assert not faults, f"seed {self.seed}: " + "; ".join(faults)


@contextmanager
def emulation(
    seed: int = 0,
    *,
    capacity: int = 1 << 30,
    devices: int = 1,
    kernels: ModuleType | None = None,
    leaks: bool = True,
) -> Iterator[Emulator]:
    """Put an emulator in the place of the libraries, and check at the end that nothing went wrong.

    Parameters
    ----------
    seed, capacity, devices
        As of ``Emulator``.
    kernels
        ``tests.gpu.host_kernels.load()``, to stand in for ``restore_rt._cuda``.
    leaks
        As of ``Emulator.close``.
    """
    emulator = Emulator(seed, capacity=capacity, devices=devices)
    package: Any = ModuleType("pycuda")
    package.driver = emulator.library
    package.__spec__ = importlib.machinery.ModuleSpec("pycuda", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pycuda", package)
        patch.setitem(sys.modules, "pycuda.driver", emulator.library)
        patch.setattr(driver, "_devices", {})
        patch.setattr(driver, "_stay", lambda device: None)
        for module in (foreign, pieces):
            patch.setattr(module, "load_driver", lambda: emulator.libcuda)
        found = Gpu("Emulated GPU 0", (8, 9))
        for module in (pieces, properties):
            patch.setattr(module, "find_gpu", lambda index=0: found)
        if kernels is not None:
            _put_kernels(patch, kernels)
            kernels.set_host_queue(emulator)
        try:
            yield emulator
            emulator.close(leaks=leaks)
        finally:
            if kernels is not None:
                kernels.set_host_queue(None)


def run_seeds(seeds: Iterable[int], work: Callable[[Emulator], object], **options: Any) -> None:
    """Run a test in one emulation after another; what it holds is let go before the check.

    Parameters
    ----------
    seeds
        One for each.
    work
        The test.
    **options
        As of ``emulation``.
    """
    for seed in seeds:
        try:
            with emulation(seed, **options) as emulator:
                work(emulator)
        except Exception as error:
            raise AssertionError(f"with seed {seed}: {error}") from error


def _put_kernels(patch: pytest.MonkeyPatch, kernels: ModuleType) -> None:
    """Let the kernels stand in for the real ones, also where those were imported by name."""
    patch.setitem(sys.modules, "restore_rt._cuda", kernels)
    patch.setattr(restore_rt, "_cuda", kernels, raising=False)
    from restore_rt.gpu import lane

    for name in ("_cuda", "Graph"):
        if hasattr(lane, name):
            patch.setattr(lane, name, kernels if name == "_cuda" else kernels.Graph)
