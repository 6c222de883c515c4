"""Energy, where a counter of the hardware tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["Energy"]

_RAPL = Path("/sys/class/powercap")


class Energy:
    """Counters of energy: RAPL's packages, and NVML's GPUs where its Python package is installed.

    What else runs on the machine is in them, too.
    """

    def __init__(self, folder: Path = _RAPL) -> None:
        self._packages = {
            f"cpu {path.name.partition(':')[2]}": path
            for path in sorted(folder.glob("intel-rapl:[0-9]*"))
            # Parts of a package are in its own figure.
            if path.name.count(":") == 1 and _counter(path / "energy_uj") is not None
        }
        self._gpus = _nvml_handles()
        self._begun = self._now()

    def start(self) -> None:
        """Begin at zero."""
        self._begun = self._now()

    def joules(self) -> dict[str, float]:
        """Return the joules since ``start`` by what counted them; empty where nothing does."""
        found = {}
        for name, now in self._now().items():
            spent = now - self._begun.get(name, now)
            if spent < 0 and name in self._packages:
                # The counter went round.
                spent += (_counter(self._packages[name] / "max_energy_range_uj") or 0) / 1e6
            found[name] = spent
        return found

    def _now(self) -> dict[str, float]:
        found = {}
        for name, path in self._packages.items():
            counted = _counter(path / "energy_uj")
            if counted is not None:
                found[name] = counted / 1e6
        for name, handle in self._gpus.items():
            import pynvml

            found[name] = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
        return found


def _counter(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _nvml_handles() -> dict[str, Any]:
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = {
            f"gpu {index}": pynvml.nvmlDeviceGetHandleByIndex(index)
            for index in range(pynvml.nvmlDeviceGetCount())
        }
        for handle in handles.values():
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # without the package, the driver or the counter there is nothing to tell
        return {}
    return handles
