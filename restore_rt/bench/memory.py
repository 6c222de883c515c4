"""The memory that this process holds, from ``/proc``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["Memory"]

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


def _status(key: str) -> float | None:
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024 / 1e6
    return None
