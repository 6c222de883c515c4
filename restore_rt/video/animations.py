"""Pictures that move: what FFmpeg does not tell of them, and animated WebP for it to read."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from restore_rt.errors import MediaError
from restore_rt.images.by_pillow import UNLIMITED
from restore_rt.video.streamed import Shown, StreamedPictures

__all__ = ["Facts", "animation_as_video", "facts_of"]

_MILLISECOND = Fraction(1, 1000)
# Browsers show a frame of no duration for a tenth of a second.
_USUAL = 100


class Facts(NamedTuple):
    """What is true of a whole animation.

    Attributes
    ----------
    plays
        How often it is shown; 0 for without end.
    icc
        ICC profile of its colours, or empty.
    """

    plays: int
    icc: bytes


def facts_of(path: Path) -> Facts:
    """Read what is true of a whole GIF, PNG or WebP animation."""
    try:
        with UNLIMITED, Image.open(path, formats=("GIF", "PNG", "WEBP")) as animation:
            plays = animation.info.get("loop")
            if animation.format == "GIF":
                # GIF counts repetitions, and without the number it is shown once.
                plays = 1 if plays is None else plays + 1 if plays else 0
            return Facts(int(plays or 0), animation.info.get("icc_profile") or b"")
    except (OSError, ValueError, SyntaxError):
        return Facts(0, b"")  # it is shown all the same if FFmpeg reads it


def animation_as_video(path: Path) -> StreamedPictures | None:
    """Return the frames of an animation as a lossless video file; None if it is a still.

    Raises
    ------
    MediaError
        The first frame cannot be read.
    """
    try:
        data = path.read_bytes()
        whole = _completed(data)
        animation: Any = Image.open(io.BytesIO(whole))
    except (OSError, ValueError, SyntaxError) as error:
        raise _damaged(path, error) from error
    if whole is data and not getattr(animation, "is_animated", False):
        animation.close()
        return None
    frames = _frames(animation, path, ends_early=whole is not data)
    return StreamedPictures(frames, time_base=_MILLISECOND, total=animation.n_frames)


def _completed(data: bytes) -> bytes:
    """Return what is whole of an animated WebP file that is cut short, as a file; else ``data``."""
    end, frames = 12, 0
    while end + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, end)
        after = end + 8 + size + size % 2
        if after > len(data):
            break
        frames += kind == b"ANMF"
        end = after
    (stated,) = struct.unpack_from("<I", data, 4)
    if not frames or stated + 8 <= len(data):
        return data
    return b"RIFF" + struct.pack("<I", end - 8) + data[8:end]


def _frames(animation: Any, path: Path, *, ends_early: bool) -> Iterator[Shown]:
    clear = animation.mode in ("RGBA", "LA", "PA")
    now = 0
    with animation:
        for number in range(animation.n_frames):
            try:
                animation.seek(number)
                pixels = np.asarray(animation.convert("RGBA" if clear else "RGB"))
            except (OSError, ValueError, SyntaxError, EOFError) as error:
                raise _damaged(path, error) from error
            duration = int(animation.info.get("duration") or _USUAL)
            yield Shown(pixels, now, duration)
            now += duration
    if ends_early:
        raise MediaError(f"{path} ends early")


def _damaged(path: Path, error: Exception) -> MediaError:
    return MediaError(f"{path} is damaged: {error}")
