"""An array in a GPU's memory: where it is, its shape, and who owns it."""

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
    """What keeps an array's memory, shared by all views of it."""

    released = False

    def used_on(self, stream: Stream | None) -> None:
        """Learn that a stream works on the memory; None is CUDA's default stream."""

    def lend(self) -> None:
        """Learn that streams which nobody knows may work on the memory."""

    def release(self) -> None:
        """Give the memory back before the last view of it has gone."""


class DeviceArray:
    """An array in a GPU's memory.

    Parameters
    ----------
    pointer
        Address of its first element.
    shape, dtype
        As NumPy's.
    strides
        In bytes; by default C-contiguous.
    device
        Where it is.
    owner
        Kept as long as the array; an ``Owner`` is also told of what becomes of it.
    stream
        What was queued on it by now produces the contents; None if they are there.

    Attributes
    ----------
    producer
        Lets a stream wait for the contents where no stream of ours produces them; or None.
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
            The memory was given back.
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
        """Bytes of all elements, without what lies between them."""
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
        """Return a view of ``self[first:last]``, without the time that indices take."""
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
            It would reach beyond this array's first or last byte.
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
        """Bytes from the first element to where the memory in use begins, and to where it ends."""
        if not self.size:
            return 0, 0
        reach = [(side - 1) * step for side, step in zip(self.shape, self.strides, strict=True)]
        low = sum(step for step in reach if step < 0)
        return low, sum(step for step in reach if step > 0) + self.dtype.itemsize

    def wait_on(self, stream: Stream) -> None:
        """Let what is queued on a stream from here on wait for the contents.

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
        """Say that work on this memory was or is queued on a stream, for when it is given back.

        Parameters
        ----------
        stream
            None is CUDA's default stream.
        """
        if isinstance(self.owner, Owner):
            self.owner.used_on(stream)

    def lend(self) -> None:
        """Say that work on this memory may be queued on streams that nobody tells of.

        Before it is used again, the whole GPU is then waited for.
        """
        if isinstance(self.owner, Owner):
            self.owner.lend()

    def release(self, *streams: Stream | None) -> None:
        """Give the memory back, also that of views; it is reused behind what is queued by now.

        Without a call it is given back when the last view has gone. Not to be called while one of
        the streams is captured.

        Parameters
        ----------
        streams
            On which work was queued that was not told of by ``used_on``.
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
