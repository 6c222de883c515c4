"""From a picture to an image file."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from restore_rt.errors import InputError
from restore_rt.files import whole_file
from restore_rt.images.metadata import resized
from restore_rt.images.picture import FORMATS, PNG_XMP, Format, Picture
from restore_rt.images.tiff import tiff_file

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

__all__ = ["check_writable", "write_picture"]

_JPEG_QUALITY = 95
_JPEG_LARGEST_SEGMENT = 65533
_PNG_HEADER = 33


def check_writable(picture: Picture, target: Format, *, scale: int = 1) -> None:
    """Refuse, before any work, a format that cannot hold the restored picture.

    Parameters
    ----------
    picture
        The picture before it is restored.
    target
        The format to write.
    scale
        How many times as wide and high it will be.

    Raises
    ------
    InputError
        The format cannot hold its bits, its transparency or its size; the message names those
        that can.
    """
    height, width = (side * scale for side in picture.pixels.shape[:2])
    transparent = picture.alpha and not _opaque(picture)
    able = [
        item.name
        for item in FORMATS.values()
        if item.bits >= picture.bits
        and (item.alpha or not transparent)
        and max(height, width) <= item.longest_side
    ]
    if target.name in able:
        return
    reasons = []
    if target.bits < picture.bits:
        reasons.append(f"{picture.bits}-bit samples")
    if transparent and not target.alpha:
        reasons.append("transparency")
    if max(height, width) > target.longest_side:
        reasons.append(f"{width}x{height} pixels")
    raise InputError(f"{target.name} cannot hold {' and '.join(reasons)}; use {' or '.join(able)}")


def write_picture(
    path: Path,
    picture: Picture,
    target: Format,
    *,
    quality: int | None = None,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write a picture with its metadata, whole or not at all.

    Parameters
    ----------
    path
        The file to be written.
    picture
        Pixels and metadata.
    target
        The format.
    quality
        1 to 100, for JPEG (default 95, chroma always in full) and WebP (default lossless).
    overwrite
        An existing file may be replaced.

    Returns
    -------
    tuple of str
        What of the metadata could not be kept, for the user.

    Raises
    ------
    InputError
        The format cannot hold the picture, or ``path`` exists and may not be replaced.
    OutputError
        The file cannot be written.
    """
    check_writable(picture, target)
    height, width = picture.pixels.shape[:2]
    notes: list[str] = []
    exif = picture.exif
    if exif:
        try:
            exif = resized(exif, width, height)
        except (ValueError, struct.error):
            exif = b""
            notes.append("damaged EXIF data was left out")
    if target.name == "jpeg" and len(exif) > _JPEG_LARGEST_SEGMENT - len(b"Exif\0\0"):
        exif = b""
        notes.append("EXIF data was left out, JPEG holds no more than 64 KB of it")
    xmp = picture.xmp
    if target.name == "jpeg" and len(xmp) > _JPEG_LARGEST_SEGMENT - 64:
        xmp = b""
        notes.append("XMP data was left out, JPEG holds no more than 64 KB of it")
    icc = picture.icc
    if target.name == "webp" and picture.grey and icc[16:20] == b"GRAY":
        icc = b""
        notes.append("the grey ICC profile was left out, WebP holds RGB only")
    if picture.text and target.name != "png":
        names = ", ".join(picture.text)
        notes.append(f"the PNG's text was left out, {target.name} has no place for it: {names}")
    kept = replace(picture, icc=icc, exif=exif, xmp=xmp)
    if target.name == "tiff":
        data = tiff_file(kept)
    elif target.name == "png" and picture.bits == 16:
        data = _deep_png(kept)
    else:
        data = _by_pillow(kept, target, quality)
    # Encoded in memory: Pillow hides why a write to a file failed.
    with whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)
    return tuple(notes)


def _opaque(picture: Picture) -> bool:
    return bool((picture.pixels[..., -1] == np.iinfo(picture.pixels.dtype).max).all())


def _by_pillow(picture: Picture, target: Format, quality: int | None) -> bytes:
    from PIL import Image

    pixels = picture.pixels
    if picture.alpha and not target.alpha:
        pixels = pixels[..., :-1]
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    options: dict[str, Any] = {}
    if target.name == "jpeg":
        options = {"quality": quality or _JPEG_QUALITY, "subsampling": 0}
    elif target.name == "webp":
        # exact: colours under transparent pixels are pixels too.
        options = {"lossless": quality is None, "quality": quality or 80, "exact": True}
    if picture.icc:
        options["icc_profile"] = picture.icc
    if picture.exif:
        options["exif"] = b"Exif\0\0" + picture.exif
    if picture.dpi and target.name != "webp":
        options["dpi"] = picture.dpi
    if target.name == "png":
        options["pnginfo"] = _png_text(picture)
    elif picture.xmp:
        options["xmp"] = picture.xmp
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, target.name, **options)
    return file.getvalue()


def _deep_png(picture: Picture) -> bytes:
    import imagecodecs

    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(picture.pixels)))
    chunks = b""
    if picture.icc:
        chunks += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(picture.icc))
    if picture.dpi:
        across, down = (round(side / 0.0254) for side in picture.dpi)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))
    if picture.exif:
        chunks += _chunk(b"eXIf", picture.exif)
    for kind, text, *_ in _png_text(picture).chunks:
        chunks += _chunk(kind, text)
    return data[:_PNG_HEADER] + chunks + data[_PNG_HEADER:]


def _png_text(picture: Picture) -> PngInfo:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if picture.xmp:
        info.add_itxt(PNG_XMP, picture.xmp.decode("utf-8", "replace"))
    for key, value in picture.text.items():
        info.add_text(key, value)
    return info


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
