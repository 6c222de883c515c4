"""The GPU at hand, as NVIDIA's driver describes it."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

from restore_rt.errors import EngineError

__all__ = ["Gpu", "find_gpu"]

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"

# Of cuda.h.
_NO_DEVICE = 100
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes
    ----------
    name
        The product name.
    capability
        Its compute capability, major and minor.
    """

    name: str
    capability: tuple[int, int]

    @property
    def target(self) -> str:
        """The compute capability in the form of ``--target``: ``"sm89"``."""
        major, minor = self.capability
        return f"sm{major}{minor}"

    def __str__(self) -> str:
        return f"{self.name} ({self.target})"


def find_gpu(index: int = 0) -> Gpu | None:
    """Return a GPU.

    Parameters
    ----------
    index
        CUDA's number of the GPU, among those that ``CUDA_VISIBLE_DEVICES`` admits.

    Returns
    -------
    Gpu or None
        None if there is no driver, or the driver has no such GPU.

    Raises
    ------
    EngineError
        The driver fails.
    """
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    code = driver.cuInit(0)
    if code == _NO_DEVICE:
        return None
    _check(code, "cuInit")
    count = ctypes.c_int()
    _check(driver.cuDeviceGetCount(ctypes.byref(count)), "cuDeviceGetCount")
    if count.value <= index:
        return None
    device = ctypes.c_int()
    _check(driver.cuDeviceGet(ctypes.byref(device), index), "cuDeviceGet")
    name = ctypes.create_string_buffer(256)
    _check(driver.cuDeviceGetName(name, len(name), device), "cuDeviceGetName")
    sides = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        code = driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        _check(code, "cuDeviceGetAttribute")
        sides.append(value.value)
    return Gpu(name.value.decode(errors="replace"), (sides[0], sides[1]))


def _check(code: int, call: str) -> None:
    if code:
        raise EngineError(
            f"NVIDIA's driver fails: {call} gives CUDA error {code}; see whether nvidia-smi works, "
            "and restart the machine or reinstall the driver"
        )
