"""Import of ONNX Runtime's GPU build with its libraries, and the list of missing ones."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import io
import sys
from importlib import metadata
from typing import Any

from restore_rt.errors import BackendError

__all__ = ["PROVIDER_NAMES", "import_onnxruntime_gpu", "missing_libraries"]

# Ours, and what ONNX Runtime calls them.
PROVIDER_NAMES = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}

_INSTALL = "pip install 'restore-rt[gpu]'"
_ONLY_ONE = f"pip uninstall onnxruntime onnxruntime-gpu, then {_INSTALL}"
_CPU_ALONE = (
    "the onnxruntime that is installed runs on the CPU alone, and must not lie beside the one for "
    "GPUs"
)
_BOTH = "onnxruntime and onnxruntime-gpu are both installed, and overwrite each other's files"
# Those that the CUDA provider cannot be loaded without, by the major version of CUDA.
_CUDA_LIBRARIES = ("libcudart.so.{}", "libcublas.so.{}", "libcublasLt.so.{}", "libcudnn.so.9")
# TensorRT 11 has another number, and the provider does not load it.
_TENSORRT_LIBRARIES = ("libnvinfer.so.10", "libnvonnxparser.so.10")


def import_onnxruntime_gpu(provider: str) -> Any:
    """Import ONNX Runtime and the pip-installed libraries that its provider needs.

    Raises
    ------
    BackendError
        A library is missing; the message lists each missing one and how to install it.
    """
    missing = missing_libraries(provider)
    if missing:
        raise BackendError(
            f"ONNX Runtime cannot use {PROVIDER_NAMES[provider]}: " + "; ".join(missing)
        )
    return importlib.import_module("onnxruntime")


def missing_libraries(provider: str) -> list[str]:
    """Return a line for each library that a provider lacks here, with how to install it."""
    try:
        library = importlib.import_module("onnxruntime")
    except ImportError as error:
        if _installed("onnxruntime") or _installed("onnxruntime-gpu"):
            return [f"onnxruntime is installed but cannot be imported ({error}): {_ONLY_ONE}"]
        return [f"onnxruntime-gpu is not installed: {_INSTALL}"]
    if PROVIDER_NAMES["cuda"] not in library.get_available_providers():
        return [f"{_CPU_ALONE}: {_ONLY_ONE}"]
    if _installed("onnxruntime") and _installed("onnxruntime-gpu"):
        return [f"{_BOTH}: {_ONLY_ONE}"]
    said = _preload(library)
    missing = []
    major = str(getattr(library, "cuda_version", "") or "").split(".")[0]
    lacking = [name for name in _names(_CUDA_LIBRARIES, major) if not _loads(name)]
    if lacking:
        missing.append(f"{', '.join(lacking)} cannot be loaded{said}: {_INSTALL}")
    if provider == "tensorrt":
        if PROVIDER_NAMES["tensorrt"] not in library.get_available_providers():
            missing.append(
                "this onnxruntime-gpu was built without its TensorRT provider: "
                "pip install --force-reinstall 'onnxruntime-gpu[cuda,cudnn]'"
            )
        lacking = [name for name in _names(_TENSORRT_LIBRARIES, "10") if not _loads(name)]
        if lacking:
            missing.append(
                f"{', '.join(lacking)} of TensorRT 10 cannot be loaded: "
                "pip install 'tensorrt>=10.16,<11'"
            )
    return missing


def _installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


@functools.cache
def _preload(library: Any) -> str:
    """Load the pip-installed libraries before a provider looks for them.

    Returns
    -------
    str
        ONNX Runtime's output, for a message, instead of being printed.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("tensorrt_libs")
    if not hasattr(library, "preload_dlls"):
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        library.preload_dlls()
    text = " ".join(said.getvalue().split())
    return f" ({text[:300]})" if text else ""


def _names(patterns: tuple[str, ...], major: str) -> list[str]:
    """Return the libraries' names; empty on systems with other file names."""
    if sys.platform != "linux" or not major:
        return []
    return [pattern.format(major) for pattern in patterns]


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
