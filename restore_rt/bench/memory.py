"""The memory that this process holds, from ``/proc``, and that is in use on a GPU."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from restore_rt.gpu import Device

__all__ = ["GpuMemory", "Memory", "memory_in_use"]

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
# proc(5): writing this resets the peak.
_PEAK = "5"


class Memory:
    """Peak memory in MB of 10^6 bytes; None on systems that do not report it."""

    def __init__(self) -> None:
        self._before, self._held = _status("VmHWM"), None
        with suppress(OSError):
            _RESET.write_text(_PEAK, encoding="ascii")
            self._held = _status("VmRSS")

    def added(self) -> float | None:
        """Return the peak since this object was made, minus what was held then."""
        peak = _status("VmHWM")
        return None if peak is None or self._held is None else max(0, peak - self._held)

    def peak(self) -> float | None:
        """Return the peak since the process started."""
        peak = _status("VmHWM")
        return None if peak is None or self._before is None else max(peak, self._before)


class GpuMemory:
    """The most memory in use on a GPU, by all programs, whenever ``look`` was called.

    ``before`` are the bytes in use before the Restorer was loaded; None counts from now.
    """

    def __init__(self, device: Device, before: int | None = None) -> None:
        self._device = device
        self._most = memory_in_use(device)
        self._before = self._most if before is None else before

    def look(self) -> None:
        """Note how much memory is in use; frames keep theirs, so between frames is enough."""
        self._most = max(self._most, memory_in_use(self._device))

    def added(self) -> float:
        """Return the most MB that were noted, minus those in use before."""
        self.look()
        return max(0, self._most - self._before) / 1e6


def memory_in_use(device: Device) -> int:
    """Return the bytes of GPU memory that all programs use, this process's context included."""
    from restore_rt.gpu.faults import Checked

    with device.active(), Checked("tell how much memory is in use", device):
        free, total = device.library.mem_get_info()
    return int(total) - int(free)


def _status(key: str) -> float | None:
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024 / 1e6
    return None
