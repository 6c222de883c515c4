"""The missing prerequisites of a GPU, and how to install them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from restore_rt.errors import BackendError
from restore_rt.gpu.foreign import load_driver
from restore_rt.gpu.properties import Gpu, find_gpu

__all__ = ["kernels", "missing_pieces", "require_gpu"]

_KERNELS = "restore_rt._cuda"


def kernels() -> Any:
    """Return ``restore_rt._cuda``.

    Raises
    ------
    BackendError
        The extension was not built.
    """
    try:
        return importlib.import_module(_KERNELS)
    except ImportError as error:
        raise BackendError(_no_kernels(error)) from error


def missing_pieces(device: int = 0) -> list[str]:
    """Return a line for each missing prerequisite of a GPU, with the fix.

    Parameters
    ----------
    device
        The GPU's number.

    Notes
    -----
    Libraries that run networks are checked by ``restore_rt.gpu_opening``.
    """
    missing = []
    gpu: Gpu | None = None
    try:
        load_driver()
    except OSError:
        missing.append(
            "NVIDIA's driver is missing (libcuda): install it, or start the container with --gpus"
        )
    else:
        try:
            gpu = find_gpu(device)
        except BackendError as error:
            missing.append(str(error))
        else:
            if gpu is None:
                missing.append(
                    f"NVIDIA's driver sees no GPU {device}: look at nvidia-smi and "
                    "CUDA_VISIBLE_DEVICES"
                )
            missing += _pycuda()
    if importlib.util.find_spec("pycuda") is None:
        missing.append("pycuda is not installed: pip install 'restore-rt[gpu]'")
    try:
        built = importlib.import_module(_KERNELS).architectures()
    except ImportError as error:
        missing.append(_no_kernels(error))
    else:
        if gpu is not None and built and not _runs(gpu, built):
            missing.append(
                f"the CUDA kernels have no code for {gpu}, only for "
                f"{', '.join(f'sm{number}' for number in built)}: build restore_rt with a CUDA "
                "toolkit that supports it"
            )
    return missing


def require_gpu() -> None:
    """Raise if a GPU cannot be used here.

    Raises
    ------
    BackendError
        A prerequisite is missing; the message lists each missing one, with the fix.
    """
    missing = missing_pieces()
    if missing:
        raise BackendError(f"no GPU can be used: {'; '.join(missing)}")


def _pycuda() -> list[str]:
    """Return why an installed pycuda cannot be used, such as a missing driver."""
    if importlib.util.find_spec("pycuda") is None:
        return []
    try:
        importlib.import_module("pycuda.driver")
    except ImportError as error:
        command = "pip install --force-reinstall --no-cache-dir --no-binary pycuda pycuda"
        return [f"pycuda does not work here ({error}): {command}"]
    return []


def _runs(gpu: Gpu, built: tuple[int, ...]) -> bool:
    """Return whether the kernels have code for a GPU: of its generation, or translatable PTX."""
    major, minor = gpu.capability
    number = 10 * major + minor
    same = any(other // 10 == major and other <= number for other in built)
    return same or max(built) <= number


def _no_kernels(error: ImportError) -> str:
    return (
        f"restore_rt was built without its CUDA kernels ({error}): install NVIDIA's CUDA toolkit, "
        "with nvcc on the PATH, and reinstall restore_rt from source"
    )
