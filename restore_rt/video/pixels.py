"""Pixel formats: a decoded frame's planes as arrays, without a copy where the format allows."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.frames import ChromaSiting, Planes

__all__ = ["PixelLayout", "coloured", "layout_of", "new_frame", "planes_of", "written_layout"]

_DEPTHS = (8, 9, 10, 12, 14, 16)
_INTERLEAVED = {
    "nv12": (0, 1),
    "nv21": (1, 0),
    "nv16": (0, 1),
    "nv24": (0, 1),
    "nv42": (1, 0),
}
# Samples in the high bits of 16, Cb and Cr interleaved.
_HIGH_BITS = ("p010le", "p012le", "p210le", "p212le", "p410le", "p412le")


@dataclass(frozen=True)
class PixelLayout:
    """How a clip's pixel format is read, and the plain format that holds the same samples.

    Attributes
    ----------
    name
        FFmpeg's name of the planar little-endian Y'CbCr or grey format with this depth and
        chroma, without alpha.
    bit_depth
        Bits of a sample.
    reading
        ``planar``: the planes are used as they are; ``interleaved``: Cb and Cr share a plane;
        ``high bits``: that, and samples are shifted up; ``convert``: swscale makes the plain
        format first.
    has_alpha
        The source format has alpha, which is not in the plain one.
    """

    name: str
    bit_depth: int
    reading: Literal["planar", "interleaved", "high bits", "convert"]
    has_alpha: bool

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Type of a sample."""
        return np.uint8 if self.bit_depth == 8 else np.uint16


def layout_of(pixel_format: av.VideoFormat) -> PixelLayout:
    """Return how frames of a pixel format are read.

    RGB and palettes become Y'CbCr 4:4:4 of 8, 10 or 12 bits; 4:4:0 becomes 4:4:4, 4:1:1 becomes
    4:2:2 and 4:1:0 becomes 4:2:0, which hold all of their samples.
    """
    source = pixel_format.name
    components = pixel_format.components
    alpha = any(part.is_alpha for part in components) or source == "pal8"
    bits = max(part.bits for part in components)
    rgb = pixel_format.is_rgb or pixel_format.has_palette or pixel_format.is_bayer
    if rgb:
        depth = 8 if bits <= 8 else 10 if bits <= 10 else 12
        chroma = "444"
    else:
        depth = next((allowed for allowed in _DEPTHS if bits <= allowed), 16)
        chroma = _chroma(pixel_format)
    suffix = "" if depth == 8 else f"{depth}le"
    name = f"gray{suffix}" if not chroma else f"yuv{chroma}p{suffix}"
    reading: Literal["planar", "interleaved", "high bits", "convert"] = "convert"
    if source.replace("yuvj", "yuv").replace("yuva", "yuv") == name:
        reading = "planar"
    elif source in _INTERLEAVED:
        reading = "interleaved"
    elif source in _HIGH_BITS:
        reading = "high bits"
    return PixelLayout(name, depth, reading, alpha)


def layout_named(name: str) -> PixelLayout:
    """Return the layout of a planar format that frames are written in.

    Raises
    ------
    InputError
        There is no such format, or it is not planar Y'CbCr or grey.
    """
    found = re.fullmatch(r"(gray|yuv4(?:20|22|44)p)(?:(9|10|12|14|16)(?:le)?)?", str(name))
    if found is None:
        raise InputError(
            f"pixel_format is {name!r}; allowed are auto, keep, gray, yuv420p, yuv422p, yuv444p, "
            "and the last four with a depth, as in yuv420p10"
        )
    base, depth = found[1], int(found[2] or 8)
    return PixelLayout(base + ("" if depth == 8 else f"{depth}le"), depth, "planar", False)


def written_layout(
    source: PixelLayout,
    choice: str,
    bit_depth: int | None,
    *,
    held: Collection[str],
    plays: bool,
    hdr: bool,
) -> PixelLayout:
    """Return the format to write frames in.

    Parameters
    ----------
    source
        Of the restored frames.
    choice
        ``keep`` for the source's format; ``auto`` for that, or with ``plays`` for what browsers,
        phones and televisions play: 4:2:0 of 8 bits, 10 with ``hdr``; or a format's name.
    bit_depth
        Takes the place of the depth that follows from ``choice``, if it is given.
    held
        Formats that the codec can hold; with ``auto``, others are reduced to one of them.
    plays
        Whether the file is to play everywhere.
    hdr
        The clip is HDR.

    Raises
    ------
    InputError
        A value is not allowed.
    """
    if bit_depth is not None and bit_depth not in _DEPTHS:
        raise InputError(f"bit_depth is {bit_depth}; allowed are {', '.join(map(str, _DEPTHS))}")
    if choice == "keep" or (choice == "auto" and not plays):
        base, depth = source.name.removesuffix("le").rstrip("0123456789"), source.bit_depth
    elif choice == "auto":
        base, depth = "yuv420p", min(source.bit_depth, 10 if hdr else 8)
    else:
        named = layout_named(choice)
        base, depth = named.name.removesuffix("le").rstrip("0123456789"), named.bit_depth
    wanted = _layout(base, bit_depth or depth)
    if choice == "auto" and bit_depth is None:
        depths = [each for each in (depth, 12, 10, 8) if each <= depth]
        able = [_layout(each, bits) for each in (base, "yuv420p") for bits in depths]
        return next((layout for layout in able if layout.name in held), wanted)
    return wanted


def _layout(base: str, depth: int) -> PixelLayout:
    return layout_named(base if depth == 8 else f"{base}{depth}")


def planes_of(frame: av.VideoFrame, layout: PixelLayout, siting: ChromaSiting) -> Planes:
    """Return the samples of a frame; views of its memory except for ``high bits``.

    The frame must have the format that ``layout`` was made for, or ``layout.name``.
    """
    reading = "planar" if frame.format.name == layout.name else layout.reading
    if reading == "planar":
        count = 1 if layout.name.startswith("gray") else 3
        arrays = [_samples(plane, layout) for plane in frame.planes[:count]]
    else:
        pairs = _samples(frame.planes[1], layout, interleaved=2)
        first, second = _INTERLEAVED.get(frame.format.name, (0, 1))
        arrays = [_samples(frame.planes[0], layout), pairs[:, first::2], pairs[:, second::2]]
        if reading == "high bits":
            arrays = [array >> (16 - layout.bit_depth) for array in arrays]
    luma, *chroma = arrays
    cb, cr = chroma or (None, None)
    return Planes(luma, cb, cr, bit_depth=layout.bit_depth, siting=siting)


def new_frame(
    width: int, height: int, layout: PixelLayout, siting: ChromaSiting
) -> tuple[av.VideoFrame, Planes]:
    """Return an uninitialised frame of ``layout.name`` and its samples, to be written into."""
    frame = av.VideoFrame(width, height, layout.name)
    return frame, planes_of(frame, layout, siting)


def coloured(picture: av.VideoFrame, layout: PixelLayout) -> av.VideoFrame:
    """Return a grey picture as 4:2:0 without colour; swscale would change its range."""
    base = layout.name.replace("gray", "yuv420p")
    frame, planes = new_frame(
        picture.width, picture.height, PixelLayout(base, layout.bit_depth, "planar", False), "left"
    )
    planes.y[...] = planes_of(picture, layout, "left").y
    for plane in (planes.cb, planes.cr):
        assert plane is not None
        plane[...] = 1 << (layout.bit_depth - 1)
    return frame


def _samples(
    plane: av.video.plane.VideoPlane, layout: PixelLayout, *, interleaved: int = 1
) -> NDArray[Any]:
    dtype = np.dtype(layout.dtype)
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)  # type: ignore[call-overload]
    # A picture stored bottom up has a negative line size.
    upright = rows if plane.line_size > 0 else rows[::-1]
    samples: NDArray[Any] = upright[:, : plane.width * interleaved]
    return samples


def _chroma(pixel_format: av.VideoFormat) -> str:
    """Return 444, 422, 420 or nothing for grey: the least that holds the format's chroma."""
    if sum(not part.is_alpha for part in pixel_format.components) == 1:
        return ""
    narrow = pixel_format.chroma_width(16) < 16
    low = pixel_format.chroma_height(16) < 16
    if not narrow:
        return "444"
    return "420" if low else "422"
