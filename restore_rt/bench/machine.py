"""Describes the machine, and tells whether other programs keep it busy."""

from __future__ import annotations

import csv
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import restore_rt
from restore_rt import _ext
from restore_rt.threads import available_threads

__all__ = [
    *("Control", "clocks", "describe_machine", "describe_software", "processor", "same_machine"),
]

_LIBRARIES = (
    *("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-rtx"),
    *("pycuda", "av", "pillow"),
)
# Times are comparable if these are equal; clocks and load differ from run to run.
_IDENTITY = ("processor", "cores", "threads", "instructions", "extensions", "system", "gpus")
_GPU_FIELDS = ("name", "driver_version", "memory.total", "power.limit", "clocks.max.sm")


class Control:
    """A loop of fixed arithmetic; if its time varies, other programs kept the machine busy."""

    def __init__(self) -> None:
        # The data fits in the first-level cache.
        self._values = np.linspace(0, 1, 4096, dtype=np.float32)
        self._out = np.empty_like(self._values)
        self.milliseconds: list[float] = []

    def __call__(self) -> None:
        """Run for some milliseconds and keep the time."""
        begin = time.perf_counter()
        np.copyto(self._out, self._values)
        for _ in range(2500):
            np.multiply(self._out, self._out, out=self._out)
            np.sqrt(self._out, out=self._out)
        self.milliseconds.append((time.perf_counter() - begin) * 1e3)

    @property
    def median(self) -> float:
        """Median time in ms."""
        return statistics.median(self.milliseconds)


def describe_machine() -> dict[str, Any]:
    """Return processor, memory and GPUs, as far as the system reports them."""
    extensions = {
        "amx": "direct_amx" in _ext.algorithms("bf16"),
        "bf16": _ext.has_bf16(),
        "vnni": _ext.has_vnni(),
    }
    memory = _lines("/proc/meminfo", "MemTotal")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": available_threads(),
        "instructions": _ext.isa(),
        "extensions": [name for name, there in extensions.items() if there],
        "system": f"{platform.system()} {platform.machine()}",
        "kernel": platform.release(),
        "memory_mb": round(int(memory[0].split()[0]) * 1024 / 1e6) if memory else None,
        "gpus": _gpus(),
    }


def describe_software(more: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of the libraries that may take part, and of some more."""
    found = {"restore_rt": restore_rt.__version__, "python": platform.python_version()}
    for name in (*_LIBRARIES, *more):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def same_machine(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return how two machines differ; empty if their times can be compared."""
    pairs = ((key, one.get(key), other.get(key)) for key in _IDENTITY)
    return [f"{key}: {mine} and {its}" for key, mine, its in pairs if mine != its]


def clocks() -> dict[str, Any]:
    """Return the load and the clock rates as they are now."""
    found: dict[str, Any] = {"load": round(os.getloadavg()[0], 2)}
    rates = [float(rate) for rate in _lines("/proc/cpuinfo", "cpu MHz")]
    return found | ({"mhz": {"min": min(rates), "max": max(rates)}} if rates else {})


def processor() -> str:
    """Return the processor's name as the system reports it."""
    names = _lines("/proc/cpuinfo", "model name")
    return names[0] if names else platform.processor() or platform.machine()


def _gpus() -> list[dict[str, str]]:
    command = ["nvidia-smi", f"--query-gpu={','.join(_GPU_FIELDS)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = csv.reader(said.stdout.splitlines(), skipinitialspace=True)
    return [dict(zip(_GPU_FIELDS, row, strict=False)) for row in rows]


def _lines(path: str, key: str) -> list[str]:
    """Return the values of ``key: value`` lines; none if there is no such file."""
    with suppress(OSError):
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        pairs = (line.partition(":") for line in lines)
        return [value.strip() for name, _, value in pairs if name.strip() == key]
    return []
