"""Describes the machine, tells whether other programs keep it busy, and how much memory is used."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import restore_rt
from restore_rt import _ext
from restore_rt.threads import available_threads

if TYPE_CHECKING:
    from restore_rt.gpu import Device

__all__ = [
    *("Memory", "control_loop", "describe_machine", "describe_software", "gpu_memory_in_use"),
    *("processor", "same_machine"),
]

_LIBRARIES = (
    *("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-rtx"),
    *("pycuda", "av", "pillow"),
)
_PROCESS = Path("/proc/self")
_GPU_FIELDS = ("name", "driver_version", "memory.total", "power.limit", "clocks.max.sm")


def control_loop() -> float:
    """Run fixed arithmetic and return the ms; they vary if other programs keep the machine busy."""
    # The data fits in the first-level cache.
    values = np.linspace(0, 1, 4096, dtype=np.float32)
    begin = time.perf_counter()
    for _ in range(2500):
        np.multiply(values, values, out=values)
        np.sqrt(values, out=values)
    return (time.perf_counter() - begin) * 1e3


def describe_machine() -> dict[str, Any]:
    """Return what decides how fast the machine is, as far as the system reports it."""
    extensions = {
        "amx": "direct_amx" in _ext.algorithms("bf16"),
        "bf16": _ext.has_bf16(),
        "vnni": _ext.has_vnni(),
    }
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": available_threads(),
        "instructions": _ext.isa(),
        "extensions": [name for name, there in extensions.items() if there],
        "system": f"{platform.system()} {platform.machine()}",
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
    """Return how two descriptions differ in what both have; empty if times can be compared."""
    differing = (key for key in one if key in other and one[key] != other[key])
    return [f"{key}: {one[key]} and {other[key]}" for key in differing]


def processor() -> str:
    """Return the processor's name as the system reports it."""
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"^model name\s*: *(.+)", text, re.MULTILINE):
            return found[1].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[dict[str, str]]:
    command = ["nvidia-smi", f"--query-gpu={','.join(_GPU_FIELDS)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.split(", ") for line in said.stdout.splitlines())
    return [dict(zip(_GPU_FIELDS, row, strict=False)) for row in rows]


class Memory:
    """Peak memory in MB of 10^6 bytes; None on systems that do not report it."""

    def __init__(self) -> None:
        self._before, self._held = _status("VmHWM"), None
        with suppress(OSError):
            # proc(5): 5 resets the peak.
            (_PROCESS / "clear_refs").write_text("5", encoding="ascii")
            self._held = _status("VmRSS")

    def peak(self) -> float | None:
        """Return the peak since the process started."""
        peak = _status("VmHWM")
        return None if peak is None or self._before is None else max(peak, self._before)

    def added(self) -> float | None:
        """Return the peak since this object was made, minus what was held then."""
        peak = _status("VmHWM")
        return None if peak is None or self._held is None else max(0, peak - self._held)


def gpu_memory_in_use(device: Device) -> int:
    """Return the bytes of GPU memory that all programs use, this process's context included."""
    from restore_rt.gpu.faults import Checked

    with device.active(), Checked("tell how much memory is in use", device):
        free, total = device.library.mem_get_info()
    return int(total) - int(free)


def _status(key: str) -> float | None:
    with suppress(OSError):
        text = (_PROCESS / "status").read_text(encoding="ascii", errors="replace")
        if found := re.search(rf"^{key}:\s*(\d+) kB", text, re.MULTILINE):
            return int(found[1]) * 1024 / 1e6
    return None
