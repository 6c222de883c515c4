"""Live video: sources that do not wait, restored by the best model that keeps pace.

PyAV is imported when one of the names is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restore_rt.live.report import LiveReport
    from restore_rt.live.restoring import ladder_names, restore_live
    from restore_rt.live.running import LiveRun

__all__ = ["LiveReport", "LiveRun", "ladder_names", "restore_live"]

_MODULES = {
    "LiveReport": "report",
    "LiveRun": "running",
    "ladder_names": "restoring",
    "restore_live": "restoring",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The codecs come first: they say what to install where PyAV is missing.
    from restore_rt.video import codecs  # noqa: F401

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
