"""Video files to train on: a few seconds each, decoded whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, MediaError

__all__ = ["CLIP_SUFFIXES", "LONGEST", "is_clip", "read_clip"]

CLIP_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm", ".y4m")
# Frames that are taken of a clip, from its beginning: they are kept in memory, decoded.
LONGEST = 64


def is_clip(path: Path) -> bool:
    """Tell by its name whether a file is a clip."""
    return path.suffix.lower() in CLIP_SUFFIXES


def read_clip(path: Path) -> NDArray[np.uint8]:
    """Read the first `LONGEST` frames of a video as (N, H, W, 3), 8-bit RGB.

    Raises
    ------
    InputError
        PyAV is missing.
    MediaError
        The file cannot be decoded, has no frames, or changes its size.
    """
    try:
        import av
    except ImportError:
        raise InputError(
            f"{path} is a video, which needs PyAV; pip install 'restore-rt[eval]'"
        ) from None
    frames = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
                if len(frames) == LONGEST:
                    break
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be decoded: {error}; get it again") from error
    if not frames:
        raise MediaError(f"{path} has no frames; get it again")
    if len({frame.shape for frame in frames}) > 1:
        raise MediaError(f"{path} changes its size midway; cut it into clips of one size")
    return np.stack(frames).astype(np.uint8, copy=False)
