"""Video files: reader, writer, and the pipeline between them.

PyAV is imported when one of the names is first used. Reading a file sets FFmpeg's log level
(``av.logging.set_libav_level``) to its default, info, since nothing tells what it was; PyAV's own
(``av.logging.set_level``) is left as it was. Writing AV1 sets the variable SVT_LOG of the process
to 1, errors only, where it is not set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restore_rt.video.pipeline import TruncatedVideoError, restore_video
    from restore_rt.video.report import VideoReport

__all__ = ["TruncatedVideoError", "VideoReport", "restore_video"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The codecs come first: they say what to install where PyAV is missing.
    from restore_rt.video import codecs, pipeline  # noqa: F401

    return getattr(pipeline, name)
