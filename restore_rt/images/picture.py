"""A still picture with its metadata, and the formats that can hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from restore_rt.errors import InputError

__all__ = ["FORMATS", "PNG_XMP", "Format", "Picture", "format_of"]

# The keyword of the text in a PNG that is an XMP packet.
PNG_XMP = "XML:com.adobe.xmp"


@dataclass(frozen=True)
class Format:
    """What a file format can hold.

    Attributes
    ----------
    name
        ``"png"``, ``"jpeg"``, ``"webp"`` or ``"tiff"``.
    suffixes
        Suffixes of its files, the usual one first.
    bits
        Largest number of bits of a sample.
    alpha
        It can hold transparency.
    longest_side
        In pixels.
    quality
        Its quality can be chosen.
    """

    name: str
    suffixes: tuple[str, ...]
    bits: int
    alpha: bool
    longest_side: int
    quality: bool


FORMATS = {
    item.name: item
    for item in (
        Format("png", (".png",), 16, True, (1 << 31) - 1, False),
        Format("jpeg", (".jpg", ".jpeg"), 8, False, 65500, True),
        Format("webp", (".webp",), 8, True, 16383, True),
        Format("tiff", (".tiff", ".tif"), 16, True, (1 << 31) - 1, False),
    )
}


def format_of(path: Path) -> Format:
    """Return the format that a file's suffix stands for.

    Raises
    ------
    InputError
        No format that can be written has this suffix.
    """
    for item in FORMATS.values():
        if path.suffix.lower() in item.suffixes:
            return item
    known = ", ".join(suffix for item in FORMATS.values() for suffix in item.suffixes)
    raise InputError(f"{path} has the suffix {path.suffix!r}; pictures can be written as {known}")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, the right way up.

    Attributes
    ----------
    pixels
        (H, W) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB or (H, W, 4) RGB and alpha (not
        premultiplied); uint8 or uint16.
    icc
        ICC profile of the pixels, or empty.
    exif
        EXIF block (a TIFF structure without the ``Exif`` prefix), or empty.
    xmp
        XMP packet, or empty.
    dpi
        Horizontal and vertical resolution, pixels per inch.
    text
        A PNG's text by its keywords: title, author and whatever programs put there.
    notes
        What reading changed, for the user.
    """

    pixels: NDArray[Any]
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def bits(self) -> int:
        """Bits of a sample, 8 or 16."""
        return self.pixels.dtype.itemsize * 8

    @property
    def alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.pixels.ndim == 3 and self.pixels.shape[2] in (2, 4)

    @property
    def grey(self) -> bool:
        """Whether there is one colour channel."""
        return self.pixels.ndim == 2 or self.pixels.shape[2] < 3
