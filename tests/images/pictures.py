"""Pictures to test with."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

CHANNELS = {"grey": 1, "grey+alpha": 2, "rgb": 3, "rgb+alpha": 4}


def noise(channels: int, bits: int, *, size: tuple[int, int] = (13, 22)) -> NDArray[Any]:
    """Every sample of its own: a swapped byte, row or channel shows."""
    rng = np.random.default_rng(channels * 100 + bits)
    shape = size if channels == 1 else (*size, channels)
    return rng.integers(0, 1 << bits, shape, dtype=f"uint{bits}")


@cache
def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def camera_exif(orientation: int = 1, *, order: str = "<") -> bytes:
    """An EXIF block with Make, Orientation and, in the Exif directory, size and a maker note."""
    note = bytes(range(40))
    first, make, second = 8, 50, 58
    maker = second + 2 + 3 * 12 + 4
    block = b"II*\0" if order == "<" else b"MM\0*"
    block += struct.pack(order + "I", first)
    block += struct.pack(order + "H", 3)
    block += struct.pack(order + "HHII", 0x010F, 2, 7, make)
    block += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    block += struct.pack(order + "HHII", 0x8769, 4, 1, second)
    block += struct.pack(order + "I", 0)
    block += b"Tester\0\0"
    block += struct.pack(order + "H", 3)
    block += struct.pack(order + "HHII", 0x927C, 7, len(note), maker)
    block += struct.pack(order + "HHIHH", 0xA002, 3, 1, 22, 0)
    block += struct.pack(order + "HHII", 0xA003, 4, 1, 13)
    block += struct.pack(order + "I", 0)
    return block + note


def encoded(pixels: NDArray[Any] | Image.Image, name: str, **options: Any) -> bytes:
    """The bytes of an 8-bit file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG file with chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]
