"""Decoded pictures to the frames that a restorer takes, and its results to pictures."""

from __future__ import annotations

from typing import Any, NamedTuple

import av
import numpy as np

from restore_rt.timing import StageTimes
from restore_rt.video.colour import BT709, Converter
from restore_rt.video.pixels import PixelLayout, coloured, new_frame, planes_of
from restore_rt.video.reader import Frame, VideoReader

__all__ = ["NO_FRAME", "Conversion", "Prepared"]


class Prepared(NamedTuple):
    """A frame for the restorer, the array or planes for its result, and the picture of these."""

    target: av.VideoFrame | None
    out: Any
    frame: Any


NO_FRAME = Prepared(None, None, None)


class Conversion:
    """Makes frames of decoded pictures, and pictures of what a network made of these.

    Parameters
    ----------
    reader
        Of the pictures.
    written
        Format of the pictures that come out.
    scale
        Output size over input size.
    rgb
        Whether the network takes RGB; else it takes ``Planes``.
    stages
        Receives the time of converting, as ``convert``.
    """

    def __init__(
        self,
        reader: VideoReader,
        written: PixelLayout,
        *,
        scale: int,
        rgb: bool,
        stages: StageTimes,
    ) -> None:
        self._layout, self._stages = reader.layout, stages
        self._width, self._height = reader.width * scale, reader.height * scale
        self._siting = reader.tags.siting(centred=reader.centred_chroma)
        if "444" in reader.layout.name:
            self._siting = "left"  # what players assume where chroma is reduced
        self._rgb = rgb
        self._converter: Converter | None = None
        if self._rgb or self._layout.reading == "convert":
            matrix = reader.tags.matrix_for(reader.width, reader.height)
            self._converter = Converter(matrix, full=reader.tags.is_full, siting=self._siting)
        self._written = written
        self._reducer: Converter | None = None
        if written.name != reader.layout.name:
            # Both sides have one matrix, whatever it is.
            self._reducer = Converter(BT709, full=reader.tags.is_full, siting=self._siting)

    def source(self, decoded: Frame) -> Prepared:
        """Convert a picture to RGB, or return its planes and those of a new picture."""
        picture, layout = decoded.picture, self._layout
        if self._rgb:
            assert self._converter is not None
            with self._stages.measure("convert"):
                frame = self._converter.to_rgb(picture, layout)
            return Prepared(None, np.empty((self._height, self._width, 3), frame.dtype), frame)
        if self._converter is not None:
            with self._stages.measure("convert"):
                picture = self._converter.to_layout(picture, layout)
        target, out = new_frame(self._width, self._height, layout, self._siting)
        return Prepared(target, out, planes_of(picture, layout, self._siting))

    def result(self, restored: Any, target: av.VideoFrame | None) -> av.VideoFrame:
        """Return the picture of a result: the one that its planes lie in, or a converted one."""
        if target is not None and self._reducer is None:
            return target
        with self._stages.measure("convert"):
            if target is None:
                assert self._converter is not None
                return self._converter.from_rgb(restored, self._written)
            assert self._reducer is not None
            if self._layout.name.startswith("gray"):
                target = coloured(target, self._layout)
                if target.format.name == self._written.name:
                    return target
            return self._reducer.to_layout(target, self._written)
