"""Run a program that needs a GPU on the emulated one, where stand-ins run networks on the CPU.

    python -m tests.gpu.rehearsal benchmarks/gpu.py --parts copies
    python -m tests.gpu.rehearsal -m pytest -m gpu tests/cuda

A session on a rented GPU is rehearsed with it: that every step starts, ends and writes its results.
Times and rates mean nothing.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from restore_rt import gpu_opening
from tests.gpu import host_kernels
from tests.gpu.emulator import emulation
from tests.gpu.stand_in import Stage

CAPACITY = 4 << 30


def main() -> None:
    """Run the program that the arguments name."""
    arguments = sys.argv[1:]
    kernels = host_kernels.load()
    with (
        pytest.MonkeyPatch.context() as patch,
        # Programs that end may leave their memory to the driver.
        emulation(capacity=CAPACITY, kernels=kernels, leaks=False) as emulator,
    ):
        Stage(emulator, patch).capturable = False
        patch.setattr(gpu_opening, "missing_for", _missing_for)
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            sys.path.insert(0, str(Path(arguments[0]).parent))
            runpy.run_path(arguments[0], run_name="__main__")


def _missing_for(backend: str) -> list[str]:
    return [] if backend == "onnxruntime" else [f"{backend} is not emulated"]


if __name__ == "__main__":
    main()
