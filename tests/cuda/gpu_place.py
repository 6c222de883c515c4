"""The kernels on a GPU, each array in memory of its own: a sanitizer sees what is beside it."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from restore_rt.gpu.driver import Allocation, open_device
from tests.cuda.place import Array, Memory, Place, image_of, view_of

__all__ = ["GpuPlace"]


class GpuPlace(Place):
    """The first GPU; each array is exactly as much memory as may be touched."""

    name = "gpu"

    def __init__(self) -> None:
        self.kernels = importlib.import_module("restore_rt._cuda")
        self.device = open_device()
        self._queue = self.device.stream()
        self.stream = self._queue.handle

    def put(self, array: Array, *, offset: int = 0) -> Memory:
        image, first = image_of(array, offset)
        # What a test lets go of is given back when the GPU has nothing left to do.
        memory = self.device.allocate(len(image))
        self._write(memory, image)
        return Memory(memory.pointer + first, array, memory)

    def get(self, memory: Memory) -> Array:
        image, first = self._read(memory)
        return view_of(image, memory.like, first)

    def refill(self, memory: Memory, array: Array) -> None:
        image, first = self._read(memory)
        view_of(image, memory.like, first)[...] = array
        self._write(memory.base, image)

    def _read(self, memory: Memory) -> tuple[Array, int]:
        """Return all bytes once all that was queued has run, and where the first element is."""
        base: Allocation = memory.base
        image = np.empty(base.size, np.uint8)
        self._queue.synchronize()
        with self.device.active():
            self.device.library.memcpy_dtoh(image, base.pointer)
        fields: dict[str, Any] = memory.__cuda_array_interface__
        return image, fields["data"][0] - base.pointer

    def _write(self, memory: Allocation, image: Array) -> None:
        with self.device.active():
            self.device.library.memcpy_htod(memory.pointer, image)
        # From memory that is not page-locked the copy may still be on its way.
        self.device.synchronize()
