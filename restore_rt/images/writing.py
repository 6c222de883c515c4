"""From pictures to an image file."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.files import whole_file
from restore_rt.images import png
from restore_rt.images.avif import deep_avif, with_codes
from restore_rt.images.metadata import resized, with_thumbnail
from restore_rt.images.picture import FORMATS, Format, Picture
from restore_rt.images.profiles import profile_of
from restore_rt.images.tiff import tiff_file
from restore_rt.images.xmp import xmp_of_size

__all__ = ["check_writable", "write_pages", "write_picture"]

_JPEG_QUALITY = 95
_AVIF_QUALITY = 90
_WEBP_QUALITY = 80
_JPEG_LARGEST_SEGMENT = 65533
_THUMBNAIL = (160, 160)


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
    """Write one picture; see ``write_pages``."""
    return write_pages(path, [picture], target, quality=quality, overwrite=overwrite)


def write_pages(
    path: Path,
    pages: Sequence[Picture],
    target: Format,
    *,
    quality: int | None = None,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write pictures with their metadata into one file, whole or not at all.

    Parameters
    ----------
    path
        The file to be written.
    pages
        Pixels and metadata; several only if the format can hold them.
    target
        The format.
    quality
        1 to 100, for JPEG (default 95, chroma always in full), AVIF (default 90, likewise) and
        WebP (default lossless).
    overwrite
        An existing file may be replaced.

    Returns
    -------
    tuple of str
        What of the metadata could not be kept, for the user.

    Raises
    ------
    InputError
        The format cannot hold the pictures, or ``path`` exists and may not be replaced.
    OutputError
        The file cannot be written.
    """
    if len(pages) > 1 and not target.pages:
        able = " or ".join(item.name for item in FORMATS.values() if item.pages)
        raise InputError(f"{target.name} cannot hold {len(pages)} pages; use {able}")
    notes: list[str] = []
    kept = []
    for picture in pages:
        check_writable(picture, target)
        kept.append(_fitting(picture, target, notes))
    if target.name == "tiff":
        data = tiff_file(kept)
    elif target.name == "png":
        data = _png(kept[0])
    elif target.name == "avif" and kept[0].bits == 16:
        data = _deep_avif(kept[0], quality or _AVIF_QUALITY, notes)
    else:
        data = _by_pillow(kept[0], target, quality)
    # Encoded in memory: Pillow hides why a write to a file failed.
    with whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)
    return tuple(dict.fromkeys(notes))


def _opaque(picture: Picture) -> bool:
    return bool((picture.pixels[..., -1] == np.iinfo(picture.pixels.dtype).max).all())


def _fitting(picture: Picture, target: Format, notes: list[str]) -> Picture:
    """Return a picture with the metadata that the format can hold, and note the rest."""
    exif = _exif(picture, target, notes)
    height, width = picture.pixels.shape[:2]
    xmp, icc, iptc = xmp_of_size(picture.xmp, width, height), picture.icc, picture.iptc
    if target.name == "jpeg" and len(xmp) > _JPEG_LARGEST_SEGMENT - 64:
        xmp = b""
        notes.append("XMP data was left out, JPEG holds no more than 64 KB of it")
    if iptc and (target.name not in ("jpeg", "tiff") or len(iptc) > _JPEG_LARGEST_SEGMENT - 64):
        iptc = b""
        notes.append(f"IPTC captions and keywords were left out, {target.name} has no place for it")
    if target.name == "png":
        if not icc and b"cICP" in dict(picture.chunks):  # for programs that do not know it
            icc, _ = profile_of(picture.chunks, grey=picture.grey)
    else:
        # AVIF can state the codes of cICP itself.
        if not icc and not (target.name == "avif" and b"cICP" in dict(picture.chunks)):
            grey = picture.grey and target.name != "webp"
            icc, note = profile_of(picture.chunks, grey=grey)
            if note:
                notes.append(note)
        chunks = picture.chunks
        names = [png.keyword(chunk) for chunk in chunks if chunk[0] in png.TEXT]
        if target.name == "jpeg":
            names = [name for name in names if name != "Comment"]
        if names:
            notes.append(
                f"text was left out, {target.name} has no place for it: {', '.join(names)}"
            )
        if any(kind in (b"mDCV", b"cLLI") for kind, _ in chunks):
            notes.append("the brightness of its HDR display (mDCV, cLLI) is not stated any more")
    if target.name == "webp" and picture.grey and icc[16:20] == b"GRAY":
        icc = b""
        notes.append("the grey ICC profile was left out, WebP holds RGB only")
    return replace(picture, icc=icc, exif=exif, xmp=xmp, iptc=iptc)


def _exif(picture: Picture, target: Format, notes: list[str]) -> bytes:
    """Return the EXIF block for a picture that is upright and has its new size."""
    height, width = picture.pixels.shape[:2]
    exif = picture.exif
    if exif:
        try:
            exif = resized(exif, width, height)
            exif = with_thumbnail(exif, lambda: _thumbnail(picture))
        except (ValueError, struct.error):
            exif = b""
            notes.append("damaged EXIF data was left out")
    if target.name == "jpeg" and len(exif) > _JPEG_LARGEST_SEGMENT - len(b"Exif\0\0"):
        exif = b""
        notes.append("EXIF data was left out, JPEG holds no more than 64 KB of it")
    return exif


def _thumbnail(picture: Picture) -> bytes:
    """Return the picture, small, as a JPEG file."""
    from PIL import Image

    step = max(1, min(picture.pixels.shape[:2]) // (8 * max(_THUMBNAIL)))
    pixels = picture.pixels[::step, ::step]
    if picture.bits == 16:
        pixels = (pixels >> 8).astype(np.uint8)
    if picture.alpha:
        pixels = pixels[..., :-1]
    image = Image.fromarray(_squeezed(pixels))
    image.thumbnail(_THUMBNAIL)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


def _squeezed(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return np.ascontiguousarray(pixels)


def _by_pillow(picture: Picture, target: Format, quality: int | None) -> bytes:
    from PIL import Image

    pixels = picture.pixels
    if picture.alpha and not target.alpha:
        pixels = pixels[..., :-1]
    options: dict[str, Any] = {}
    if target.name == "jpeg":
        options = {"quality": quality or _JPEG_QUALITY, "subsampling": 0}
        if picture.dpi:
            options["dpi"] = picture.dpi
        options["extra"] = _photoshop(picture.iptc)
        for kind, body in picture.chunks:
            if kind == b"tEXt" and body.startswith(b"Comment\0"):
                options["comment"] = body.removeprefix(b"Comment\0")
    elif target.name == "webp":
        # exact: colours under transparent pixels are pixels too.
        options = {"lossless": quality is None, "quality": quality or _WEBP_QUALITY, "exact": True}
    elif target.name == "avif":
        options = {"quality": quality or _AVIF_QUALITY}
        options["subsampling"] = "4:0:0" if picture.grey else "4:4:4"
    if picture.icc:
        options["icc_profile"] = picture.icc
    if picture.exif:
        options["exif"] = b"Exif\0\0" + picture.exif
    if picture.xmp:
        options["xmp"] = picture.xmp
    file = io.BytesIO()
    Image.fromarray(_squeezed(pixels)).save(file, target.name, **options)
    data = file.getvalue()
    codes = dict(picture.chunks).get(b"cICP", b"")
    return with_codes(data, codes) if target.name == "avif" and codes and not picture.icc else data


def _deep_avif(picture: Picture, quality: int, notes: list[str]) -> bytes:
    pixels = picture.pixels
    if picture.grey and picture.alpha:
        pixels = pixels[..., [0, 0, 0, 1]]
    bits = 10 if 8 < picture.depth <= 10 else 12
    if not 8 < picture.depth <= bits:
        notes.append(f"samples of {picture.depth or 16} bits were reduced to {bits}, AVIF's most")
    return deep_avif(
        pixels[..., 0] if pixels.shape[2:] == (1,) else pixels,
        bits=bits,
        quality=quality,
        codes=dict(picture.chunks).get(b"cICP", b"") if not picture.icc else b"",
        icc=picture.icc,
        exif=picture.exif,
        xmp=picture.xmp,
    )


def _photoshop(iptc: bytes) -> bytes:
    """Return the JPEG segment that holds an IPTC block."""
    if not iptc:
        return b""
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc
    body += bytes(len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def _png(picture: Picture) -> bytes:
    import imagecodecs
    from PIL import Image

    if picture.bits == 16:
        data = bytes(imagecodecs.png_encode(np.ascontiguousarray(picture.pixels)))
    else:
        file = io.BytesIO()
        Image.fromarray(_squeezed(picture.pixels)).save(file, "PNG")
        data = file.getvalue()
    return png.with_parts(
        data,
        icc=picture.icc,
        exif=picture.exif,
        xmp=picture.xmp,
        dpi=picture.dpi,
        kept=picture.chunks,
    )
