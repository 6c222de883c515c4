"""The machine that a benchmark runs on, and how quiet it is."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import restore_rt
from restore_rt import _ext
from restore_rt.threads import available_threads

__all__ = [
    "Control",
    "clocks",
    "describe_machine",
    "describe_software",
    "processor",
    "same_machine",
]

_LIBRARIES = (
    *("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-rtx"),
    *("pycuda", "av", "pillow"),
)
# What makes times comparable; clocks and the load differ from run to run.
_IDENTITY = ("processor", "cores", "threads", "instructions", "extensions", "system", "gpus")
_CPUS = Path("/sys/devices/system/cpu")
_GPU_FIELDS = ("name", "driver_version", "memory.total", "power.limit", "clocks.max.sm")
_GPU_CLOCKS = ("clocks.sm", "clocks.mem", "temperature.gpu", "power.draw")


class Control:
    """A loop of fixed arithmetic: if its time varies, the machine was busy with something else."""

    def __init__(self) -> None:
        # What it reads and writes stays in the first-level cache.
        self._values = np.linspace(0, 1, 4096, dtype=np.float32)
        self._out = np.empty_like(self._values)
        self.milliseconds: list[float] = []

    def __call__(self) -> None:
        """Run for some milliseconds, and keep the time."""
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
    """Return processor, memory and GPUs, as far as the system tells."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": available_threads(),
        "instructions": _ext.isa(),
        "extensions": _extensions(),
        "system": f"{platform.system()} {platform.machine()}",
        "kernel": platform.release(),
        "memory_mb": _memory_mb(),
        "gpus": _gpus(_GPU_FIELDS),
    }


def _extensions() -> list[str]:
    """Return what the processor has for networks beyond its instruction set."""
    found = {
        "amx": "direct_amx" in _ext.algorithms("bf16"),
        "bf16": _ext.has_bf16(),
        "vnni": _ext.has_vnni(),
    }
    return [name for name, there in found.items() if there]


def describe_software() -> dict[str, str]:
    """Return the versions of what takes part."""
    found = {"restore_rt": restore_rt.__version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def same_machine(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return what tells two machines from each other; nothing if their times can be compared."""
    differing = []
    for key in _IDENTITY:
        if one.get(key) != other.get(key):
            differing.append(f"{key}: {one.get(key)} and {other.get(key)}")
    return differing


def clocks() -> dict[str, Any]:
    """Return clocks as they are now; nothing is fixed."""
    found: dict[str, Any] = {"load": round(os.getloadavg()[0], 2)}
    governor = _read(_CPUS / "cpu0/cpufreq/scaling_governor")
    if governor:
        found["governor"] = governor
    boost = _read(_CPUS / "cpufreq/boost")
    if boost:
        found["boost"] = boost == "1"
    rates = [
        float(line.partition(":")[2])
        for line in (_read(Path("/proc/cpuinfo")) or "").splitlines()
        if line.startswith("cpu MHz")
    ]
    if rates:
        found["mhz"] = {"min": min(rates), "max": max(rates)}
    gpus = _gpus(_GPU_CLOCKS)
    if gpus:
        found["gpus"] = gpus
    return found


def processor() -> str:
    """Return the processor's name, as the system tells it."""
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_mb() -> int | None:
    for line in (_read(Path("/proc/meminfo")) or "").splitlines():
        if line.startswith("MemTotal:"):
            return round(int(line.split()[1]) * 1024 / 1e6)
    return None


def _gpus(fields: tuple[str, ...]) -> list[dict[str, str]]:
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [
        dict(zip(fields, (cell.strip() for cell in line.split(",")), strict=False))
        for line in said.stdout.splitlines()
    ]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
