"""A still picture with its metadata, and the formats that can hold it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from restore_rt.errors import InputError

__all__ = ["FORMATS", "Chunk", "Format", "Picture", "format_of"]

# A PNG chunk: its kind, and its body without length and checksum.
Chunk = tuple[bytes, bytes]


@dataclass(frozen=True)
class Format:
    """What a file format can hold.

    Attributes
    ----------
    name
        ``"png"``, ``"jpeg"``, ``"webp"``, ``"tiff"`` or ``"avif"``.
    suffixes
        Suffixes of its files, the usual one first.
    bits
        Largest number of bits of a sample; AVIF keeps 12 of 16.
    alpha
        It can hold transparency.
    longest_side
        In pixels.
    quality
        Its quality can be chosen.
    pages
        It can hold several pictures.
    """

    name: str
    suffixes: tuple[str, ...]
    bits: int
    alpha: bool
    longest_side: int
    quality: bool
    pages: bool = False


FORMATS = {
    item.name: item
    for item in (
        Format("png", (".png",), 16, True, (1 << 31) - 1, False),
        Format("jpeg", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif"), 8, False, 65500, True),
        Format("webp", (".webp",), 8, True, 16383, True),
        Format("tiff", (".tiff", ".tif"), 16, True, (1 << 31) - 1, False, pages=True),
        Format("avif", (".avif",), 16, True, 32768, True),
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
    chunks
        PNG chunks of texts (title, author and whatever programs put there) and of colour. Those of
        colour say how samples are encoded where there is no ICC profile, whatever the file is.
    iptc
        Captions and keywords as news agencies exchange them (IPTC-IIM), or empty.
    depth
        Bits of a sample in the file that was read, if they are 9 to 15; else 0.
    notes
        What reading changed, for the user.
    damage
        What of the picture is missing, empty if it is whole.
    """

    pixels: NDArray[Any]
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    chunks: tuple[Chunk, ...] = ()
    iptc: bytes = b""
    depth: int = 0
    notes: tuple[str, ...] = ()
    damage: str = ""

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
