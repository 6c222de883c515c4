"""Video files: reader, writer, and the pipeline between them (PyAV)."""

from __future__ import annotations

try:
    import av  # noqa: F401
except ImportError as error:
    raise ImportError("video needs PyAV: pip install 'restore-rt[video]'", name="av") from error

from restore_rt.video.pipeline import TruncatedVideoError, restore_video
from restore_rt.video.report import VideoReport

__all__ = ["TruncatedVideoError", "VideoReport", "restore_video"]
