"""Animated WebP, which FFmpeg cannot read, as video that it can."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from restore_rt.errors import MediaError

__all__ = ["animation_as_video"]

_MILLISECOND = Fraction(1, 1000)


def animation_as_video(path: Path) -> io.BytesIO | None:
    """Return the frames of an animation as lossless Matroska in memory; None if it is a still.

    Raises
    ------
    MediaError
        A frame cannot be read.
    """
    try:
        with Image.open(path) as animation:
            if not getattr(animation, "is_animated", False):
                return None
            return _recoded(animation)
    except (OSError, ValueError, SyntaxError) as error:
        raise MediaError(f"{path} is damaged: {error}") from error


def _recoded(animation: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    clear = animation.mode in ("RGBA", "LA", "PA")
    with av.open(buffer, "w", format="matroska") as file:
        stream: Any = file.add_stream("ffv1", rate=1000)
        stream.width, stream.height = animation.size
        stream.pix_fmt = "bgra" if clear else "bgr0"
        stream.codec_context.time_base = stream.time_base = _MILLISECOND
        now = 0
        for number in range(animation.n_frames):
            animation.seek(number)
            pixels = np.asarray(animation.convert("RGBA"))
            picture = av.VideoFrame.from_ndarray(pixels, format="rgba")
            picture = picture.reformat(format=stream.pix_fmt)
            picture.pts, picture.time_base = now, _MILLISECOND
            # Browsers show a frame of no duration for a tenth of a second.
            duration = int(animation.info.get("duration") or 100)
            for packet in [*stream.encode(picture)]:
                packet.duration = duration
                file.mux(packet)
            now += duration
        file.mux(stream.encode(None))
    buffer.seek(0)
    return buffer
