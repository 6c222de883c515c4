"""How much memory a process holds, and held at most."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Memory"]

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
# Of proc(5): forget the most that was held.
_PEAK = "5"


class Memory:
    """What this process holds from now on, in bytes; None where the system does not tell.

    Attributes
    ----------
    held
        What it holds now.
    """

    def __init__(self) -> None:
        self._before = _status("VmHWM")
        self._forgot = _reset_peak()
        self.held = _status("VmRSS")

    def added(self) -> int | None:
        """Return the most that it held since, beyond what it held then."""
        peak = _status("VmHWM")
        if not self._forgot or peak is None or self.held is None:
            return None
        return max(0, peak - self.held)

    def peak(self) -> int | None:
        """Return the most that it ever held."""
        peak = _status("VmHWM")
        return None if peak is None or self._before is None else max(peak, self._before)


def _reset_peak() -> bool:
    """Forget the most that was held; return whether the system did."""
    try:
        _RESET.write_text(_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


def _status(key: str) -> int | None:
    try:
        text = _STATUS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None
