"""The memory that this process holds, from ``/proc``, and that is in use on a GPU."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from restore_rt.gpu import Device

__all__ = ["Memory", "gpu_memory_in_use"]

_PROCESS = Path("/proc/self")
# proc(5): writing this to clear_refs resets the peak.
_PEAK = "5"


class Memory:
    """Peak memory in MB of 10^6 bytes; None on systems that do not report it."""

    def __init__(self) -> None:
        self._before, self._held = _status("VmHWM"), None
        with suppress(OSError):
            (_PROCESS / "clear_refs").write_text(_PEAK, encoding="ascii")
            self._held = _status("VmRSS")

    def added(self) -> float | None:
        """Return the peak since this object was made, minus what was held then."""
        peak = _status("VmHWM")
        return None if peak is None or self._held is None else max(0, peak - self._held)

    def peak(self) -> float | None:
        """Return the peak since the process started."""
        peak = _status("VmHWM")
        return None if peak is None or self._before is None else max(peak, self._before)


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
