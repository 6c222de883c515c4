"""What the sample values of a clip mean, and conversion to and from RGB by it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from restore_rt.errors import MediaError
from restore_rt.frames import ChromaSiting
from restore_rt.video.pixels import PixelLayout

__all__ = ["BT709", "ColourTags", "Converter", "matrix_name"]

# Numbers of ITU-T H.273, which FFmpeg uses too.
_HDR_TRANSFERS = (16, 18)
_UNSPECIFIED = 2
BT709 = 1
_BT601 = 6
_FULL = 2

# What libavfilter calls the matrices.
_FILTER_NAMES = {
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}
_NAMES = {1: "BT.709", 4: "FCC", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020"}

_ANY_TIME_BASE = Fraction(1, 1000)
# A window that its user makes larger needs a new one for each size.
_MOST_GRAPHS = 8

# Nothing is resized but chroma; what matters is exact rounding and unsubsampled arithmetic.
_EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"


@dataclass(frozen=True)
class ColourTags:
    """Colour description of a clip.

    Attributes
    ----------
    range, primaries, transfer, matrix
        Code points of ITU-T H.273 as FFmpeg numbers them; range is 0 unspecified, 1 limited,
        2 full.
    location
        FFmpeg's name of the chroma location, ``""`` when unspecified.
    """

    range: int = 0
    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    matrix: int = _UNSPECIFIED
    location: str = ""

    @classmethod
    def of(cls, stream: VideoStream, picture: av.VideoFrame, location: str) -> ColourTags:
        """Return what a stream and its first picture say; RGB gets tags for what it becomes."""
        context = stream.codec_context
        if picture.format.is_rgb or picture.format.has_palette:
            return cls(range=1, primaries=BT709, transfer=BT709, matrix=BT709)
        full = picture.format.name.startswith("yuvj")
        return cls(
            range=_FULL if full else int(picture.color_range) or int(context.color_range),
            # Frames say these two only from PyAV 17 on.
            primaries=_stated(getattr(picture, "color_primaries", 2), context.color_primaries),
            transfer=_stated(getattr(picture, "color_trc", 2), context.color_trc),
            matrix=_stated(picture.colorspace, context.colorspace),
            location=location,
        )

    @property
    def is_full(self) -> bool:
        """Whether samples span their whole range."""
        return self.range == _FULL

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer function is PQ or HLG."""
        return self.transfer in _HDR_TRANSFERS

    def siting(self, *, centred: bool) -> ChromaSiting:
        """Where chroma lies; ``centred`` says what an unspecified location means."""
        if self.location == "center" or (not self.location and centred):
            return "center"
        return "topleft" if self.location == "topleft" else "left"

    def matrix_for(self, width: int, height: int) -> int:
        """Return the matrix, or what players assume for this size when it is unspecified."""
        if self.matrix != _UNSPECIFIED:
            return self.matrix
        return BT709 if width >= 1280 or height > 576 else _BT601

    def enlarged(self, width: int, height: int, scale: int) -> ColourTags:
        """Return the tags for a clip of this size after enlargement.

        They are the same, except that an unspecified matrix is named where players would guess
        another one for the new size than for the old.
        """
        meant = self.matrix_for(width, height)
        if meant == self.matrix_for(width * scale, height * scale):
            return self
        return dataclasses.replace(self, matrix=meant)


def _stated(*values: int) -> int:
    """Return the first code point that says something; 0 and 3 are reserved, 2 unspecified."""
    return next((int(value) for value in values if int(value) not in (0, 2, 3)), _UNSPECIFIED)


def matrix_name(matrix: int) -> str:
    """Return a matrix's name for people."""
    return _NAMES.get(matrix, f"matrix {matrix}")


class Converter:
    """Converts frames between pixel formats by a clip's own matrix and range.

    Parameters
    ----------
    matrix
        ITU-T H.273 number of the Y'CbCr side's matrix.
    full
        Whether Y'CbCr samples span their whole range.
    siting
        Where the Y'CbCr side's chroma lies.

    Raises
    ------
    MediaError
        The matrix is not one that can be converted by.
    """

    def __init__(self, matrix: int, *, full: bool, siting: ChromaSiting = "left") -> None:
        if matrix not in _FILTER_NAMES:
            allowed = ", ".join(dict.fromkeys(_NAMES.values()))
            raise MediaError(
                f"the clip's colour matrix is number {matrix}; RGB can be made by {allowed}: "
                "convert the clip first, or use a luma model"
            )
        self._matrix = _FILTER_NAMES[matrix]
        self._range = "full" if full else "limited"
        self._siting = siting
        self._graphs: dict[tuple[Any, ...], av.filter.Graph] = {}

    def to_rgb(self, frame: av.VideoFrame, layout: PixelLayout) -> NDArray[Any]:
        """Return a frame as RGB, (H, W, 3): uint8 for 8 bits, else uint16 over its whole span."""
        return self.to_pixels(frame, bits=8 if layout.bit_depth == 8 else 16, alpha=False)

    def to_pixels(self, frame: av.VideoFrame, *, bits: int, alpha: bool) -> NDArray[Any]:
        """Return a frame as RGB, (H, W, 3), or with alpha (H, W, 4), of 8 or 16 bits."""
        name = ("rgba" if alpha else "rgb24") if bits == 8 else ("rgba64le" if alpha else "rgb48le")
        return self._convert(frame, name, "full").to_ndarray()

    def from_rgb(self, array: NDArray[Any], layout: PixelLayout) -> av.VideoFrame:
        """Return an (H, W, 3) RGB array as a frame of ``layout``."""
        name = "rgb24" if array.dtype == np.uint8 else "rgb48le"
        return self.to_layout(av.VideoFrame.from_ndarray(array, format=name), layout)

    def to_layout(self, frame: av.VideoFrame, layout: PixelLayout) -> av.VideoFrame:
        """Return an RGB frame, or Y'CbCr in an unusual format, as a frame of ``layout``."""
        return self._convert(frame, layout.name, self._range)

    def to_view(self, frame: av.VideoFrame, width: int, height: int) -> NDArray[Any]:
        """Return a frame as RGB of another size, (height, width, 3): fast, for the eye alone."""
        return self._convert(frame, "rgb24", "full", (width, height)).to_ndarray()

    def _convert(
        self, frame: av.VideoFrame, name: str, sample_range: str, size: tuple[int, int] = (0, 0)
    ) -> av.VideoFrame:
        key = (frame.format.name, frame.width, frame.height, name, *size)
        graph = self._graphs.get(key)
        if graph is None:
            if len(self._graphs) == _MOST_GRAPHS:
                self._graphs.clear()
            graph = self._graphs[key] = self._graph(frame, name, sample_range, size)
        graph.vpush(frame)
        return graph.vpull()

    def _graph(
        self, frame: av.VideoFrame, name: str, sample_range: str, size: tuple[int, int]
    ) -> av.filter.Graph:
        """Make a filter graph; it takes matrix and range as it is told, not as frames are tagged.

        PyAV's own conversion heeds matrix and range in some of its versions only.
        """
        source_range = "full" if frame.format.is_rgb else self._range
        width, height = size
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=_ANY_TIME_BASE,
            ),
            graph.add(
                "scale",
                f"w={width}:h={height}:in_color_matrix={self._matrix}:"
                f"out_color_matrix={self._matrix}:"
                f"in_range={source_range}:out_range={sample_range}:"
                f"in_chroma_loc={self._siting}:out_chroma_loc={self._siting}:"
                f"flags={'bicubic' if width else _EXACT}",
            ),
            graph.add("format", name),
            graph.add("buffersink"),
        ).configure()
        return graph
