"""What `make gpu` needs and is not there, a line each; the exit status is then 1.

Runs before anything is built, and needs nothing but Python.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

# Names that are imported, and that are installed.
_MODULES = {
    "setuptools": "setuptools>=77",
    "pybind11": "pybind11",
    "numpy": "numpy",
    "onnx": "onnx",
    "PIL": "pillow",
    "rich": "rich",
    "pytest": "pytest",
    "hypothesis": "hypothesis",
    "pycuda": "pycuda",
    "onnxruntime": "onnxruntime-gpu[cuda,cudnn]",
}
_OPTIONAL = {
    "torch": "frames of PyTorch are not tested, and the plain way is not measured",
    "cupy": "frames of CuPy are not tested",
}
_OLDEST_SETUPTOOLS = 77


def main() -> None:
    """Print what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sanitizer", help="the program that checks kernels, if it is wanted")
    options = parser.parse_args()
    missing = list(_missing(options.sanitizer))
    for line in (*missing, *_optional()):
        print(line)
    if missing:
        raise SystemExit(1)


def _missing(sanitizer: str | None) -> Iterator[str]:
    for name, package in _MODULES.items():
        if importlib.util.find_spec(name) is None:
            yield f"{name} is missing: {sys.executable} -m pip install '{package}'"
    if (_major("setuptools") or _OLDEST_SETUPTOOLS) < _OLDEST_SETUPTOOLS:
        yield f"setuptools is too old: {sys.executable} -m pip install '{_MODULES['setuptools']}'"
    programs = {
        "nvidia-smi": "install NVIDIA's driver, or start the container with --gpus all",
        os.environ.get("NVCC", "nvcc"): "install NVIDIA's CUDA toolkit, or name it in NVCC",
        os.environ.get("CXX", "c++"): "install a C++17 compiler, or name it in CXX",
    }
    if sanitizer:
        programs[sanitizer] = (
            "it comes with the CUDA toolkit; name it in SANITIZER, or do without by SANITIZE=0"
        )
    for program, fix in programs.items():
        if shutil.which(program) is None:
            yield f"{program} is missing: {fix}"


def _optional() -> Iterator[str]:
    for name, consequence in _OPTIONAL.items():
        if importlib.util.find_spec(name) is None:
            yield f"note: {name} is not installed: {consequence}"
    if not Path(os.environ.get("RESTORE_RT_DATA", "/nonexistent"), "test").is_dir():
        yield "note: RESTORE_RT_DATA names no folder of test images: these are not compared"


def _major(package: str) -> int | None:
    try:
        return int(importlib.metadata.version(package).split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
