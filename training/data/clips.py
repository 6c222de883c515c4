"""Video files to train on: a few seconds each, decoded whole."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import MediaError
from restore_rt.training.needed import needed

__all__ = ["CLIP_SUFFIXES", "LONGEST", "is_clip", "read_clip"]

CLIP_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm", ".y4m")
# Frames that are taken of a clip, from its beginning: they are kept in memory, decoded.
LONGEST = 64


def is_clip(path: Path) -> bool:
    """Return whether a file's name is that of a clip."""
    return path.suffix.lower() in CLIP_SUFFIXES


def read_clip(path: Path, most: int | None = None) -> NDArray[np.uint8]:
    """Read the first frames of a video, at most `most`, as (N, H, W, 3), 8-bit RGB.

    Raises `InputError` if PyAV is missing, `MediaError` if the file cannot be decoded, has no
    frames, or changes its size.
    """
    av = needed("av", "PyAV", f"{path} is a video, which")
    from restore_rt.video.opening import choose_stream, open_video

    frames: list[NDArray[np.uint8]] = []
    with open_video(path) as container:
        stream = choose_stream(container, path)
        try:
            for frame in islice(container.decode(stream), LONGEST if most is None else most):
                frames.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"{path} cannot be decoded: {error}; get it again") from error
    if not frames:
        raise MediaError(f"{path} has no frames; get it again")
    if len({frame.shape for frame in frames}) > 1:
        raise MediaError(f"{path} changes its size midway; cut it into clips of one size")
    return np.stack(frames)
