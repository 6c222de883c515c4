"""Video files: reader, writer, and the pipeline between them.

PyAV is imported when one of the names is first used. Reading a file sets FFmpeg's log level
(``av.logging.set_libav_level``) to its default, info, since nothing tells what it was; PyAV's own
(``av.logging.set_level``) is left as it was. Writing AV1 sets the variable SVT_LOG of the process
to 1, errors only, where it is not set.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restore_rt.video.pipeline import Pipeline
    from restore_rt.video.report import TruncatedVideoError, VideoReport
    from restore_rt.video.restored import RestoredFrame
    from restore_rt.video.restoring import restore_video
    from restore_rt.video.table import StageTable

__all__ = [
    "Pipeline",
    "RestoredFrame",
    "StageTable",
    "TruncatedVideoError",
    "VideoReport",
    "restore_video",
]

_MODULES = {
    "Pipeline": "pipeline",
    "RestoredFrame": "restored",
    "StageTable": "table",
    "TruncatedVideoError": "report",
    "VideoReport": "report",
    "restore_video": "restoring",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The codecs come first: they say what to install where PyAV is missing.
    from restore_rt.video import codecs  # noqa: F401

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
