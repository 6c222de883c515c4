"""Copies between the host and a GPU, and clearing: queued on a stream without waiting."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.gpu.array import DeviceArray
from restore_rt.gpu.driver import Stream
from restore_rt.gpu.faults import Checked

__all__ = ["copy_async", "download_async", "rows_of", "upload_async", "zero_async"]


def upload_async(array: DeviceArray, pinned: NDArray[Any], stream: Stream) -> None:
    """Queue a copy to the GPU.

    Parameters
    ----------
    array
        Written when the stream reaches the copy. C order; rows may be padded.
    pinned
        Of the same shape and dtype, C-contiguous, in page-locked memory (``pinned_empty``): a copy
        from other memory would block the caller. The memory must be kept unchanged until the copy
        has run.
    stream
        Takes the copy.

    Raises
    ------
    InputError
        The two do not fit each other, or their layout is not allowed.
    BackendError
        The driver fails.
    """
    count, width, pitch = _check(array, pinned)
    library = array.device.library
    array.used_on(stream)
    with array.device.active(), Checked("copy to it", array.device):
        if pitch == width:
            library.memcpy_htod_async(array.pointer, pinned, stream.raw)
            return
        copy = library.Memcpy2D()
        copy.set_src_host(pinned)
        copy.src_pitch = width
        copy.set_dst_device(array.pointer)
        copy.dst_pitch = pitch
        copy.width_in_bytes, copy.height = width, count
        copy(stream.raw)


def download_async(pinned: NDArray[Any], array: DeviceArray, stream: Stream) -> None:
    """Queue a copy from the GPU; the parameters and errors are those of ``upload_async``.

    Read the data only after waiting for the stream, or for an event recorded after the copy.
    """
    count, width, pitch = _check(array, pinned)
    if not pinned.flags.writeable:
        raise InputError("the array on the host is read-only; give a writeable one")
    library = array.device.library
    array.used_on(stream)
    with array.device.active(), Checked("copy from it", array.device):
        if pitch == width:
            library.memcpy_dtoh_async(pinned, array.pointer, stream.raw)
            return
        copy = library.Memcpy2D()
        copy.set_src_device(array.pointer)
        copy.src_pitch = pitch
        copy.set_dst_host(pinned)
        copy.dst_pitch = width
        copy.width_in_bytes, copy.height = width, count
        copy(stream.raw)


def copy_async(target: DeviceArray, source: DeviceArray, stream: Stream) -> None:
    """Queue a copy within the GPU's memory.

    Parameters
    ----------
    target, source
        Of the same number of bytes, both C-contiguous.
    stream
        Takes the copy.

    Raises
    ------
    InputError
        The two do not fit each other, or their layout is not allowed.
    BackendError
        The driver fails.
    """
    for array in (target, source):
        if not array.is_contiguous or not array.size:
            raise InputError(
                f"{array!r} has strides of {array.strides} bytes; allowed is C-contiguous, with no "
                "side 0"
            )
    if target.nbytes != source.nbytes:
        raise InputError(
            f"the target has {target.nbytes} bytes and the source {source.nbytes}; both must have "
            "the same number"
        )
    device = target.device
    target.used_on(stream)
    source.used_on(stream)
    with device.active(), Checked("copy within it", device):
        device.library.memcpy_dtod_async(target.pointer, source.pointer, target.nbytes, stream.raw)


def zero_async(array: DeviceArray, stream: Stream) -> None:
    """Queue the filling of an array with zero bytes; padding between rows is not changed.

    Raises
    ------
    InputError
        Its layout is not allowed.
    BackendError
        The driver fails.
    """
    count, width, pitch = _rows_or_refuse(array)
    library = array.device.library
    array.used_on(stream)
    with array.device.active(), Checked("clear memory", array.device):
        if pitch == width:
            library.memset_d8_async(array.pointer, 0, count * width, stream.raw)
        else:
            library.memset_d2d8_async(array.pointer, pitch, 0, width, count, stream.raw)


def rows_of(array: DeviceArray) -> tuple[int, int, int] | None:
    """Return an array's rows of bytes: number, width and pitch.

    None if the array does not consist of such rows. A C-contiguous array is a single row, whose
    pitch is its width.
    """
    axes = [
        (side, step) for side, step in zip(array.shape, array.strides, strict=True) if side != 1
    ]
    width = array.dtype.itemsize
    while axes and axes[-1][1] == width:
        width *= axes.pop()[0]
    if not axes:
        return 1, width, width
    count, pitch = axes.pop()
    if pitch < width:
        return None
    while axes:
        side, step = axes.pop()
        if step != count * pitch:
            return None
        count *= side
    return count, width, pitch


def _rows_or_refuse(array: DeviceArray) -> tuple[int, int, int]:
    if not array.size:
        raise InputError(f"{array!r} is empty; no side may be 0")
    rows = rows_of(array)
    if rows is None:
        raise InputError(
            f"{array!r} has strides of {array.strides} bytes; allowed are rows that are contiguous "
            "and equally far apart"
        )
    return rows


def _check(array: DeviceArray, pinned: NDArray[Any]) -> tuple[int, int, int]:
    rows = _rows_or_refuse(array)
    if pinned.shape != array.shape or pinned.dtype != array.dtype:
        raise InputError(
            f"on the host there are {pinned.shape} {pinned.dtype}, on the GPU {array.shape} "
            f"{array.dtype}; both must be the same"
        )
    if not pinned.flags.c_contiguous:
        raise InputError(
            f"the array on the host has strides of {pinned.strides} bytes; allowed is C-contiguous"
        )
    return rows
