"""Arrays in a GPU's memory: address, shape and owner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from restore_rt.errors import BackendError, InputError

if TYPE_CHECKING:
    from restore_rt.gpu.driver import Device, Stream

__all__ = ["DeviceArray", "Owner"]

_Key = int | slice | EllipsisType


class Owner:
    """Holder of an array's memory, shared by all views of the array."""

    released = False

    def used_on(self, stream: Stream | None) -> None:
        """Record that a stream uses the memory; None is CUDA's default stream."""

    def lend(self) -> None:
        """Record that unknown streams may use the memory."""

    def release(self) -> None:
        """Return the memory before its last view is deleted."""


class DeviceArray:
    """An array in a GPU's memory.

    Parameters
    ----------
    pointer
        Address of the first element.
    shape, dtype
        As NumPy's.
    strides
        In bytes; by default C-contiguous.
    device
        The GPU that holds the memory.
    owner
        Kept alive with the array; an ``Owner`` is also notified of uses and of the release.
    stream
        Stream whose queued work produces the contents; None if they are complete.

    Attributes
    ----------
    producer
        Makes a stream wait for contents that another library's stream produces; or None.
    """

    def __init__(
        self,
        pointer: int,
        shape: Sequence[int],
        dtype: DTypeLike,
        *,
        strides: Sequence[int] | None = None,
        device: Device,
        owner: object = None,
        stream: Stream | None = None,
    ) -> None:
        self._pointer = pointer
        self.shape = tuple(shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.strides = packed(self.shape, self.dtype) if strides is None else tuple(strides)
        self.device = device
        self.owner = owner
        self.stream = stream
        self.producer: Callable[[Stream], None] | None = None
        if len(self.strides) != len(self.shape):
            raise InputError(
                f"strides are {self.strides} for the shape {self.shape}; give one for each axis"
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shape} {self.dtype} on {self.device!r}>"

    @property
    def pointer(self) -> int:
        """Address of the first element.

        Raises
        ------
        BackendError
            The memory was released.
        """
        if isinstance(self.owner, Owner) and self.owner.released:
            raise BackendError(f"{self!r} was released; its memory may be another's by now")
        return self._pointer

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements, without gaps between them."""
        return self.size * self.dtype.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements follow each other as in C."""
        tight = packed(self.shape, self.dtype)
        return all(
            mine == other or side == 1
            for mine, other, side in zip(self.strides, tight, self.shape, strict=True)
        )

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.pointer, False),
            "strides": None if self.is_contiguous else self.strides,
            "stream": None if self.stream is None else self.stream.handle,
            "version": 3,
        }

    def __getitem__(self, key: _Key | tuple[_Key, ...]) -> DeviceArray:
        """Return a view, for integers and slices, as NumPy would."""
        keys = key if isinstance(key, tuple) else (key,)
        for part in keys:
            if not isinstance(part, int | slice | EllipsisType):
                raise InputError(f"the index is {part!r}; allowed are integers and slices")
        # NumPy computes it on an array of the same form, no element of which is ever touched: with
        # the ellipsis even a single one stays a view.
        whole = keys if Ellipsis in keys else (*keys, Ellipsis)
        form = np.lib.stride_tricks.as_strided(
            np.empty(1, self.dtype), self.shape, self.strides, writeable=False
        )
        try:
            part_of = form[whole]
        except IndexError as error:
            raise InputError(f"{self!r} has no [{key!r}]: {error}") from error
        offset = part_of.__array_interface__["data"][0] - form.__array_interface__["data"][0]
        return self.view(part_of.shape, strides=part_of.strides, offset=offset)

    def part(self, first: int, last: int) -> DeviceArray:
        """Return a view of ``self[first:last]``, faster than by indexing."""
        if not 0 <= first <= last <= self.shape[0]:
            raise InputError(f"{self!r} has no part from {first} to {last}")
        shape = (last - first, *self.shape[1:])
        return self.view(shape, strides=self.strides, offset=first * self.strides[0])

    def view(
        self,
        shape: Sequence[int],
        *,
        dtype: DTypeLike | None = None,
        strides: Sequence[int] | None = None,
        offset: int = 0,
    ) -> DeviceArray:
        """Return another array in the same memory.

        Parameters
        ----------
        shape, dtype, strides
            As of a new array; by default the same dtype and C-contiguous.
        offset
            Bytes from this array's first element to the view's.

        Raises
        ------
        InputError
            The view would reach beyond this array's first or last byte.
        """
        array = DeviceArray(
            self._pointer + offset,
            shape,
            self.dtype if dtype is None else dtype,
            strides=strides,
            device=self.device,
            owner=self.owner,
            stream=self.stream,
        )
        array.producer = self.producer
        if array.size:
            (low, high), (first, last) = self.extent, array.extent
            if first + offset < low or last + offset > high:
                raise InputError(
                    f"a view of {array.shape} {array.dtype} at byte {offset} reaches beyond "
                    f"{self!r}; it must lie within"
                )
        return array

    @property
    def extent(self) -> tuple[int, int]:
        """Byte offsets of the start and the end of the used memory from the first element."""
        if not self.size:
            return 0, 0
        reach = [(side - 1) * step for side, step in zip(self.shape, self.strides, strict=True)]
        low = sum(step for step in reach if step < 0)
        return low, sum(step for step in reach if step > 0) + self.dtype.itemsize

    def wait_on(self, stream: Stream) -> None:
        """Make work that is queued on a stream from now on wait for the contents.

        Raises
        ------
        InputError
            The stream is of another GPU.
        """
        device = self.device
        if stream.device is not device:
            raise InputError(f"{self!r} is to be used on {stream.device!r}; it must lie there")
        with device.active():
            if self.producer is not None:
                self.producer(stream)
            if self.stream is not None and self.stream is not stream:
                event = device.event()
                event.record(self.stream)
                stream.wait(event)

    def used_on(self, stream: Stream | None) -> None:
        """Record that a stream uses this memory, so that its reuse waits for that stream.

        Parameters
        ----------
        stream
            None is CUDA's default stream.
        """
        if isinstance(self.owner, Owner):
            self.owner.used_on(stream)

    def lend(self) -> None:
        """Record that unknown streams may use this memory.

        Before the memory is reused, the whole GPU is then synchronized.
        """
        if isinstance(self.owner, Owner):
            self.owner.lend()

    def release(self, *streams: Stream | None) -> None:
        """Return the memory, including that of views; its reuse waits for the work queued by now.

        Without a call, the memory is returned when its last view is deleted. Must not be called
        while one of the streams is captured.

        Parameters
        ----------
        streams
            Streams with work on the memory that ``used_on`` was not called for.
        """
        if isinstance(self.owner, Owner):
            for stream in streams:
                self.owner.used_on(stream)
            self.owner.release()
        self.owner = _GONE


class _Gone(Owner):
    released = True


_GONE = _Gone()


def packed(shape: Sequence[int], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Return the strides of a C-contiguous array."""
    strides, step = [], dtype.itemsize
    for side in reversed(shape):
        strides.append(step)
        step *= side
    return tuple(reversed(strides))
