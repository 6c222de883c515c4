"""The clip that whole commands are measured on, and what is made of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import numpy as np

from restore_rt.video.pixels import layout_of, new_frame, planes_of

__all__ = ["CLIP", "remade"]

CLIP = Path(__file__).parent.parent / "examples" / "panels.mp4"


def remade(clip: Path, folder: Path, *, frames: int, size: tuple[int, int] | None = None) -> Path:
    """Return the beginning of a clip as a file of its own.

    Parameters
    ----------
    clip, folder
        What it is made of, and where it is put.
    frames
        How many, at most.
    size
        Width and height; where it is larger than the clip's, that is continued by its own mirror
        image, which has more detail than an enlarged one.
    """
    with av.open(str(clip)) as source:
        video = source.streams.video[0]
        width, height = size or (video.width, video.height)
        made = folder / f"{clip.stem}_{width}x{height}.mp4"
        with av.open(str(made), "w") as target:
            stream = target.add_stream("libx264", rate=video.average_rate, options={"crf": "18"})
            stream.width, stream.height, stream.pix_fmt = width, height, video.pix_fmt
            stream.codec_context.colorspace = video.codec_context.colorspace
            for picture in itertools.islice(source.decode(video), frames):
                target.mux(stream.encode(_continued(picture, width, height)))
            target.mux(stream.encode(None))
    return made


def _continued(picture: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    layout = layout_of(picture.format)
    frame, larger = new_frame(width, height, layout, "left")
    frame.pts, frame.time_base = picture.pts, picture.time_base
    smaller = planes_of(picture, layout, "left")
    for new, old in ((larger.y, smaller.y), (larger.cb, smaller.cb), (larger.cr, smaller.cr)):
        assert new is not None
        assert old is not None
        beyond = [(0, n - o) for n, o in zip(new.shape, old.shape, strict=True)]
        new[...] = np.pad(old, beyond, "symmetric")
    return frame
