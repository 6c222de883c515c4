"""Decoded pictures to the frames that a restorer takes, and its results to pictures."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from restore_rt.timing import StageTimes
from restore_rt.video.clock import Frame
from restore_rt.video.colour import BT709, Converter
from restore_rt.video.pixels import PixelLayout, coloured, new_frame, planes_of
from restore_rt.video.reader import VideoReader

__all__ = ["NO_FRAME", "Conversion", "Convert", "Prepared", "RgbConversion", "orientation"]

_DISPLAY_MATRIX = struct.Struct("=9i")


class Prepared(NamedTuple):
    """A frame for the restorer, the array or planes for its result, and the picture of these."""

    target: av.VideoFrame | None
    out: Any
    frame: Any


NO_FRAME = Prepared(None, None, None)


class Convert(Protocol):
    """Makes frames of decoded pictures, and pictures of a network's results."""

    def source(self, decoded: Frame) -> Prepared:
        """Return a decoded picture as the restorer takes it."""

    def result(self, restored: Any, target: av.VideoFrame | None) -> Any:
        """Return the picture of a result, which lies in ``target`` if there is one."""


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

    Attributes
    ----------
    width, height
        Of the results.
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
        self.width, self.height = reader.width * scale, reader.height * scale
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
            return Prepared(None, np.empty((self.height, self.width, 3), frame.dtype), frame)
        if self._converter is not None:
            with self._stages.measure("convert"):
                picture = self._converter.to_layout(picture, layout)
        target, out = new_frame(self.width, self.height, layout, self._siting)
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


class RgbConversion:
    """Makes upright RGB of decoded pictures, with alpha where they are not opaque.

    Parameters
    ----------
    reader
        Of the pictures.
    scale
        Output size over input size.
    bits
        Of a sample, 8 or 16.
    alpha
        Transparency is kept.
    stages
        Receives the time of converting, as ``convert``.

    Attributes
    ----------
    width, height
        Of the results.
    """

    def __init__(
        self, reader: VideoReader, *, scale: int, bits: int, alpha: bool, stages: StageTimes
    ) -> None:
        self._bits, self._alpha, self._stages = bits, alpha, stages
        self._scale = scale
        self._turns, self._mirrored = orientation(reader.extras.get("DISPLAYMATRIX", b""))
        size = (reader.width * scale, reader.height * scale)
        self.width, self.height = size[::-1] if self._turns % 2 else size
        siting = reader.tags.siting(centred=reader.centred_chroma)
        matrix = reader.tags.matrix_for(reader.width, reader.height)
        self._converter = Converter(matrix, full=reader.tags.is_full, siting=siting)

    def pixels(self, picture: av.VideoFrame) -> NDArray[Any]:
        """Return a decoded picture as (H, W, 3), or with alpha (H, W, 4)."""
        pixels = self._converter.to_pixels(picture, bits=self._bits, alpha=self._alpha)
        if self._alpha and (pixels[..., 3] == np.iinfo(pixels.dtype).max).all():
            pixels = pixels[..., :3]  # alpha would be restored, too
        if self._mirrored:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(np.rot90(pixels, self._turns))

    def source(self, decoded: Frame) -> Prepared:
        """Convert a picture; the result is a new array."""
        with self._stages.measure("convert"):
            frame = self.pixels(decoded.picture)
        height, width, channels = frame.shape
        shape = (height * self._scale, width * self._scale, channels)
        return Prepared(None, np.empty(shape, frame.dtype), frame)

    def result(self, restored: Any, target: av.VideoFrame | None) -> NDArray[Any]:
        """Return a result, with alpha if transparency is kept."""
        pixels: NDArray[Any] = restored
        if self._alpha and pixels.shape[2] == 3:
            opaque = np.full((*pixels.shape[:2], 1), np.iinfo(pixels.dtype).max, pixels.dtype)
            return np.concatenate([pixels, opaque], axis=2)
        if self._alpha:
            pixels[pixels[..., 3] == 0] = 0  # no one sees it, and it would have to be stored
        return pixels


def orientation(data: bytes) -> tuple[int, bool]:
    """Return how many quarters to turn to the left a picture is, after mirroring left to right."""
    if len(data) != _DISPLAY_MATRIX.size:
        return 0, False
    a, b, _, c, d, *_ = _DISPLAY_MATRIX.unpack(data)
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    if abs(a) >= abs(b):
        return (0 if a > 0 else 2), mirrored
    return (3 if b > 0 else 1), mirrored
