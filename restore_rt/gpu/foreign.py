"""GPU objects of other libraries, known only by their handles and addresses.

pycuda cannot take a stream by its handle, so these calls go to the driver's library itself.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from restore_rt.errors import BackendError, InputError

__all__ = ["DEFAULT_STREAM", "device_of", "load_driver", "order_streams"]

# CU_STREAM_LEGACY of cuda.h.
DEFAULT_STREAM = 1

_DISABLE_TIMING = 2  # CU_EVENT_DISABLE_TIMING
_DEVICE_ORDINAL = 9  # CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL


def load_driver() -> Any:
    """Return NVIDIA's driver library.

    Raises
    ------
    OSError
        No driver is installed.
    """
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def device_of(pointer: int) -> int:
    """Return the number of the GPU that an address belongs to.

    Raises
    ------
    InputError
        The address belongs to no GPU.
    """
    index = ctypes.c_int(-1)
    code = load_driver().cuPointerGetAttribute(
        ctypes.byref(index), ctypes.c_int(_DEVICE_ORDINAL), ctypes.c_uint64(pointer)
    )
    if code:
        raise InputError(
            f"{pointer:#x} is no memory of a GPU (CUDA error {code}); give what lies on one"
        )
    return index.value


def order_streams(first: int, then: int) -> None:
    """Make work queued on ``then`` from now on wait for the work queued on ``first`` by now.

    Parameters
    ----------
    first, then
        Handles of streams, of the GPU that is active on this thread.

    Raises
    ------
    BackendError
        The driver refuses: a handle belongs to no live stream, or to another GPU's stream.
    """
    if first == then:
        return
    driver = load_driver()
    event = ctypes.c_void_p()
    code = driver.cuEventCreate(ctypes.byref(event), ctypes.c_uint(_DISABLE_TIMING))
    _check(code, "cuEventCreate")
    try:
        _check(driver.cuEventRecord(event, ctypes.c_void_p(first)), "cuEventRecord")
        code = driver.cuStreamWaitEvent(ctypes.c_void_p(then), event, ctypes.c_uint(0))
        _check(code, "cuStreamWaitEvent")
    finally:
        # The driver keeps it until nobody waits for it.
        driver.cuEventDestroy_v2(event)


def _check(code: int, call: str) -> None:
    if code:
        raise BackendError(
            f"streams cannot be ordered: {call} gives CUDA error {code}; the stream that an array "
            "names must live, and be one of the same GPU"
        )
