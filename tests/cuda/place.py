"""Where the CUDA kernels run, and how memory gets there and back."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "HostPlace", "Memory", "Place"]

Array = NDArray[Any]

# Over-reads, which must stay within a frame's words, would come back as this.
_POISON = 0xA7


class Memory:
    """An array whose memory is described as a GPU's; ``base`` is what is copied as a whole."""

    def __init__(self, pointer: int, like: Array, base: Any) -> None:
        self.base = base
        self.like = like
        self.__cuda_array_interface__ = {
            "shape": like.shape,
            "strides": like.strides,
            "typestr": like.dtype.str,
            "data": (pointer, False),
            "version": 3,
        }


class Place:
    """A build of the kernels, a stream, and memory for them."""

    name: str
    kernels: ModuleType
    stream: int

    def put(self, array: Array, *, offset: int = 0) -> Memory:
        """Copy an array, its memory's order kept, ``offset`` items behind an aligned place.

        Exactly the bytes between its first and its last element may be touched.
        """
        raise NotImplementedError

    def get(self, memory: Memory) -> Array:
        """Copy it back once all that was queued has run."""
        raise NotImplementedError

    def refill(self, memory: Memory, array: Array) -> None:
        """Replace what is in it."""
        raise NotImplementedError


def _extent(array: Array) -> tuple[int, int]:
    """Return how many bytes lie before and after an array's first element."""
    reach = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    before = -sum(r for r in reach if r < 0)
    return before, sum(r for r in reach if r > 0) + array.itemsize


def image_of(array: Array, offset: int) -> tuple[NDArray[np.uint8], int]:
    """Return the bytes to copy from an aligned place on, and where in them the first element is."""
    before, after = _extent(array)
    begin = offset * array.itemsize
    image = np.full(begin + before + after, _POISON, np.uint8)
    view_of(image, array, begin + before)[...] = array
    return image, begin + before


def view_of(image: NDArray[np.uint8], like: Array, first: int) -> Array:
    """Return an image's bytes as the array that was put there."""
    return np.ndarray(like.shape, like.dtype, image.data, first, like.strides)


class HostPlace(Place):
    """The build for the host: what is queued runs at once, and memory is NumPy's."""

    name = "host"
    stream = 1

    def __init__(self, kernels: ModuleType) -> None:
        self.kernels = kernels

    def put(self, array: Array, *, offset: int = 0) -> Memory:
        image, first = image_of(array, offset)
        aligned = np.empty(len(image) + 256, np.uint8)
        begin = -aligned.ctypes.data % 256
        # What a kernel may read ends with the image: a sanitizer's limit is the array's.
        base = aligned[begin : begin + len(image)]
        base[...] = image
        view = view_of(base, array, first)
        return Memory(base.ctypes.data + first, view, base)

    def get(self, memory: Memory) -> Array:
        return memory.like

    def refill(self, memory: Memory, array: Array) -> None:
        memory.like[...] = array
