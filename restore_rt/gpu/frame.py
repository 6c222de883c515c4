"""Frames in a GPU's memory, and their exchange with other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from restore_rt.errors import InputError
from restore_rt.gpu.array import DeviceArray
from restore_rt.gpu.driver import Device, Stream, open_device
from restore_rt.gpu.foreign import DEFAULT_STREAM, device_of, order_streams
from restore_rt.gpu.memory import pinned_empty
from restore_rt.gpu.pieces import kernels
from restore_rt.gpu.transfer import download_async

__all__ = ["DeviceFrame", "as_device_frame"]

_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))

# Of dlpack.h: kDLCUDA and kDLCUDAManaged.
_CUDA = 2
_ON_GPU = (_CUDA, 13)


class DeviceFrame(DeviceArray):
    """A frame in a GPU's memory: (H, W) or (H, W, C), uint8, uint16 or float32.

    Other libraries take it without a copy by ``__dlpack__`` (``torch.from_dlpack(frame)``) or
    ``__cuda_array_interface__``, and let their streams wait for ``stream``. A library that uses the
    latter must keep the frame until its work on it has run, as that protocol requires.

    Parameters
    ----------
    pointer, shape, dtype, strides, device, owner, stream
        As of ``DeviceArray``.

    Raises
    ------
    InputError
        The shape or dtype is not one of a frame.
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
        super().__init__(
            pointer, shape, dtype, strides=strides, device=device, owner=owner, stream=stream
        )
        if self.ndim not in (2, 3) or 0 in self.shape:
            raise InputError(
                f"the frame has shape {self.shape}; it must be (H, W) or (H, W, C), no side 0"
            )
        if self.dtype not in _DTYPES:
            raise InputError(f"the frame is {self.dtype}; allowed are uint8, uint16 and float32")

    @classmethod
    def of(cls, array: DeviceArray, *, stream: Stream | None = None) -> DeviceFrame:
        """Return an array as a frame, in the same memory.

        Parameters
        ----------
        array
            Has a frame's shape and dtype.
        stream
            Stream whose queued work writes the frame; None if the frame is complete.
        """
        return cls(
            array.pointer,
            array.shape,
            array.dtype,
            strides=array.strides,
            device=array.device,
            owner=array.owner,
            stream=stream,
        )

    def to_host(self) -> NDArray[Any]:
        """Wait for the frame and return a copy in ordinary memory; slow, for single frames.

        Raises
        ------
        BackendError
            The GPU failed.
        """
        device = self.device
        with device.active():
            stream = device.stream()
            self.wait_on(stream)
            # Whatever its layout: from its first byte to its last.
            low, high = self.extent
            span = DeviceArray(
                self.pointer + low, (high - low,), np.uint8, device=device, owner=self.owner
            )
            staged = pinned_empty(span.shape, np.uint8)
            download_async(staged, span, stream)
            stream.synchronize()
        return np.ndarray(self.shape, self.dtype, staged.data, -low, self.strides).copy()

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CUDA, self.device.index

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Offer the memory by DLPack.

        Parameters
        ----------
        stream
            Handle of the consumer's stream, which then waits for the frame: None or 1 for CUDA's
            default stream, -1 not to wait.
        max_version, dl_device, copy
            As in the protocol. The frame stays where it is and is not copied.

        Raises
        ------
        BufferError
            Another device or a copy is asked for.
        InputError
            The protocol does not allow this stream.
        """
        if copy:
            raise BufferError("a frame offers its own memory; ask for no copy")
        if dl_device is not None and tuple(dl_device) != self.__dlpack_device__():
            raise BufferError(
                f"the frame is on DLPack's device {self.__dlpack_device__()} and is offered there "
                f"alone, not on {tuple(dl_device)}"
            )
        taker = DEFAULT_STREAM if stream is None else stream
        if taker < -1 or taker == 0:
            raise InputError(
                f"stream is {stream}; DLPack allows None, -1 and a handle, which is not 0"
            )
        if taker != -1 and self.stream is not None:
            with self.device.active():
                order_streams(self.stream.handle, taker)
        if taker == DEFAULT_STREAM:
            self.used_on(None)
        else:
            self.lend()
        return kernels().to_dlpack(self, self.device.index)


def as_device_frame(
    frame: object, *, device: Device | None = None, stream: Stream | None = None
) -> DeviceFrame:
    """Return a frame of another library that lies on the GPU, without a copy.

    Parameters
    ----------
    frame
        Has ``__dlpack__``, preferred because it handles streams more reliably, or
        ``__cuda_array_interface__``. Kept as long as the returned frame, which in turn must be kept
        until the work on it has run (by ``Device.keep``).
    device
        The GPU that must hold the frame; by default any.
    stream
        Work queued on it from now on waits for the frame's contents; without a stream,
        call ``DeviceFrame.wait_on`` before the frame is used.

    Raises
    ------
    InputError
        The object is not on that GPU, or is not a frame.
    BackendError
        The GPU cannot be used.
    """
    if isinstance(frame, DeviceFrame):
        result = frame
    elif isinstance(frame, DeviceArray):
        result = DeviceFrame.of(frame, stream=frame.stream)
        result.producer = frame.producer
    elif hasattr(frame, "__dlpack__") and hasattr(frame, "__dlpack_device__"):
        result = _from_dlpack(frame)
    elif hasattr(frame, "__cuda_array_interface__"):
        result = _from_interface(frame)
    else:
        raise InputError(
            f"frame is {type(frame).__name__}; give what has __dlpack__ or "
            "__cuda_array_interface__ and lies on the GPU"
        )
    if device is not None and result.device is not device:
        raise InputError(f"the frame lies on {result.device!r}; it must lie on {device!r}")
    if stream is not None:
        result.wait_on(stream)
    return result


def _from_dlpack(frame: Any) -> DeviceFrame:
    kind, index = frame.__dlpack_device__()
    if kind not in _ON_GPU:
        raise InputError(
            f"{type(frame).__name__} lies on DLPack's device ({int(kind)}, {index}); it must be "
            "memory of an NVIDIA GPU"
        )
    device = open_device(index)
    with device.active():
        # It is yet unknown who is to wait.
        taken = kernels().from_dlpack(frame.__dlpack__(stream=-1))
    result = _described(taken.__cuda_array_interface__, taken, device)

    def order(stream: Stream) -> None:
        # To make the stream wait is what this is for; the memory has been taken already.
        frame.__dlpack__(stream=stream.handle)

    result.producer = order
    return result


def _from_interface(frame: Any) -> DeviceFrame:
    fields = frame.__cuda_array_interface__
    device = open_device(device_of(fields["data"][0]))
    result = _described(fields, frame, device)
    # Before the protocol's third version nobody said: then it is likely the default stream.
    producer = fields.get("stream") if fields.get("version", 0) >= 3 else DEFAULT_STREAM
    if producer == 0:
        raise InputError("the frame's __cuda_array_interface__ names stream 0, which is forbidden")
    if producer is not None:
        result.producer = lambda stream: order_streams(int(producer), stream.handle)
    return result


def _described(fields: dict[str, Any], owner: object, device: Device) -> DeviceFrame:
    if fields.get("mask") is not None:
        raise InputError("the frame has a mask; give a plain array")
    return DeviceFrame(
        fields["data"][0],
        fields["shape"],
        fields["typestr"],
        strides=fields.get("strides"),
        device=device,
        owner=owner,
    )
