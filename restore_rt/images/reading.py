"""From an image file to its pictures."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from restore_rt.errors import MediaError
from restore_rt.files import check_plausible
from restore_rt.images import deep, jpeg, png
from restore_rt.images.by_pillow import (
    UNLIMITED,
    check_frames,
    check_size,
    described,
    exif_of,
    opened,
    samples_of,
)
from restore_rt.images.heif import is_avif, is_heif, read_avif, read_heif
from restore_rt.images.jpeg2000 import is_jpeg2000, read_jpeg2000
from restore_rt.images.metadata import ORIENTATION
from restore_rt.images.picture import FORMATS, Chunk, Picture
from restore_rt.images.samples import turned
from restore_rt.images.tga import TGA_SUFFIXES, is_tga, read_tga
from restore_rt.images.xmp import true_afterwards
from restore_rt.wording import one_line

if TYPE_CHECKING:
    from PIL.Image import Exif

__all__ = ["MAX_PIXELS", "READABLE", "read_pages", "read_picture"]

_ONLY_READ = (
    *(".bmp", ".dib", ".gif", ".apng"),
    *(".heic", ".heif", ".hif"),
    *(".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"),
    *TGA_SUFFIXES,
)
READABLE = (*(suffix for item in FORMATS.values() for suffix in item.suffixes), *_ONLY_READ)
MAX_PIXELS = 178_956_970

_NAMES = "PNG, JPEG, WebP, TIFF, AVIF, HEIC, JPEG 2000, BMP, GIF and TGA"

_OTHER_BIG_TIFF = b"MM\0+"
_NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC = 254, 258, 259, 262
_IMAGE_WIDTH, _IMAGE_LENGTH = 256, 257
_RESOLUTION, _RESOLUTION_UNIT = (282, 283), 296
_PIXELS_PER_INCH = {2: 1.0, 3: 2.54}
_XMP_TAG, _ICC_TAG, _IPTC_TAG = 700, 34675, 33723
# TIFF tags that hold for the original only.
_LEFT_OUT = {37724: "Photoshop's layers", 33550: "the georeference", 33922: "the georeference"}


def read_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read the one picture of an image file, whole or not at all.

    Parameters
    ----------
    path, max_pixels
        As for ``read_pages``.

    Raises
    ------
    MediaError
        As for ``read_pages``; or the file has several pages, or ends early.
    """
    pages = list(_guarded(path, max_pixels, probe=False))
    if len(pages) > 1:
        raise MediaError(f"{path} has {len(pages)} pages; give one page a file (tiffsplit does it)")
    if pages[0].damage:
        raise MediaError(f"{path} is damaged: {pages[0].damage}; get it again")
    return pages[0]


def read_pages(path: Path, *, max_pixels: int = MAX_PIXELS) -> Iterator[Picture]:
    """Yield the pages of a TIFF, or the picture of another image file.

    Parameters
    ----------
    path
        The file; its contents, not its suffix, say what it is (TGA without a footer excepted).
    max_pixels
        Larger pictures are refused: a small file can decode to more than fits in memory.

    Yields
    ------
    Picture
        Turned the right way up. Palettes become RGB, CMYK and L*a*b* become sRGB, 1-bit becomes
        grey, floats and samples of 10 to 15 bits become 16 bits; all others are those of the file.
        A JPEG or PNG that ends early is completed; ``damage`` says what is missing.

    Raises
    ------
    MediaError
        The file is missing, is not a picture, is damaged, is an animation, or holds samples that
        cannot be read.
    """
    return _guarded(path, max_pixels, probe=True)


def _guarded(path: Path, max_pixels: int, *, probe: bool) -> Iterator[Picture]:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise MediaError(f"cannot read {path}: {reason}") from error
    if not data:
        raise MediaError(f"{path} is empty, it has 0 bytes; get it again")
    try:
        with UNLIMITED:
            for picture in _decoded(data, path, max_pixels, probe=probe):
                if picture.pixels.ndim not in (2, 3) or 0 in picture.pixels.shape:
                    raise MediaError(f"{path} holds no pixels")
                yield replace(picture, pixels=np.ascontiguousarray(picture.pixels))
    except (MediaError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        # What Python says of bytes that are missing helps nobody.
        detail = "" if isinstance(error, struct.error) else f" ({one_line(error)})"
        raise MediaError(
            f"{path} cannot be decoded, it is damaged or ends early{detail}; get it again"
        ) from error


def _decoded(data: bytes, path: Path, max_pixels: int, *, probe: bool) -> Iterator[Picture]:
    if png.is_png(data):
        yield _png(data, path, max_pixels)
    elif jpeg.is_jpeg(data):
        yield _jpeg(data, path, max_pixels, probe=probe)
    elif pages := deep.tiff_directories(data):
        yield from _tiff(data, pages, path, max_pixels)
    elif data.startswith(_OTHER_BIG_TIFF):
        raise MediaError(
            f"{path} is a BigTIFF with the highest byte first, which cannot be read; store it as a "
            "usual TIFF first"
        )
    elif is_avif(data):
        yield read_avif(data, path, max_pixels)
    elif is_heif(data):
        yield read_heif(data, path, max_pixels)
    elif is_jpeg2000(data):
        yield read_jpeg2000(data, path, max_pixels)
    elif is_tga(data, path):
        yield read_tga(data, path, max_pixels, _NAMES)
    else:
        yield _other(data, path, max_pixels)


def _png(data: bytes, path: Path, max_pixels: int) -> Picture:
    width, height = struct.unpack_from(">II", data, 16)
    check_size(width, height, path, max_pixels)
    parts = png.parts_of(data)
    if parts.damage:
        check_plausible(width, height, len(data), path)
    with opened(parts.pixels, path, ("PNG",)) as image:
        check_frames(image, path)
        image.load()
        if deep.has_deep_png_samples(data):
            pixels = deep.decode_png(parts.pixels)
        else:
            pixels, _, _ = samples_of(image, path)
    return Picture(
        turned(pixels, _orientation(parts.exif)),
        icc=parts.icc,
        exif=parts.exif,
        xmp=true_afterwards(parts.xmp),
        dpi=parts.dpi,
        chunks=parts.kept,
        notes=parts.notes,
        damage=parts.damage,
    )


def _jpeg(data: bytes, path: Path, max_pixels: int, *, probe: bool) -> Picture:
    parts = jpeg.parts_of(data)
    if not parts.scanned:
        raise MediaError(f"{path} is damaged: it ends before its pixels begin; get it again")
    if parts.bits != 8:
        raise MediaError(
            f"{path} is a JPEG with samples of {parts.bits} bits; allowed are 8: store it as PNG "
            "or TIFF of 16 bits first"
        )
    whole = jpeg.completed(data, parts)
    with opened(whole, path, ("JPEG", "MPO")) as image:
        check_size(image.width, image.height, path, max_pixels)
        check_plausible(image.width, image.height, len(data), path)
        decoded = np.asarray(image)
        exif = exif_of(image)
        picture = described(exif, image.info)
        pixels, notes, icc = samples_of(image, path)
    damage = jpeg.missing(whole, parts, decoded) if probe or not parts.ended else ""
    if not (damage or parts.ended):
        notes += ("its end is missing, though no pixels are",)
    if parts.left_out:
        notes += (f"left out, as the result is another picture: {', '.join(parts.left_out)}",)
    chunks: tuple[Chunk, ...] = ()
    if parts.comment:
        chunks = (png.latin_text("Comment", parts.comment.decode("utf-8", "replace")),)
    return replace(
        picture,
        pixels=turned(pixels, exif.get(ORIENTATION, 1)),
        icc=icc,
        iptc=parts.iptc,
        chunks=chunks,
        notes=notes,
        damage=damage,
    )


def _tiff(data: bytes, pages: list[deep.Tags], path: Path, max_pixels: int) -> Iterator[Picture]:
    full = [index for index, page in enumerate(pages) if not page.get(_NEW_SUBFILE_TYPE, 0) & 1]
    full = full or [0]
    notes: tuple[str, ...] = ()
    if len(full) < len(pages):
        notes = ("smaller versions in the file are left out",)
    for index in full:
        with warnings.catch_warnings():  # of tags whose length surprises Pillow
            warnings.simplefilter("ignore", UserWarning)
            picture = _tiff_page(data, pages, index, path, max_pixels)
        yield replace(picture, notes=(*notes, *picture.notes))
        notes = ()


def _tiff_page(
    data: bytes, pages: list[deep.Tags], index: int, path: Path, max_pixels: int
) -> Picture:
    tags = pages[index]
    check_size(tags[_IMAGE_WIDTH], tags[_IMAGE_LENGTH], path, max_pixels)
    orientation = tags.get(ORIENTATION, 1)
    notes: tuple[str, ...]
    if deep.has_deep_tiff_samples(tags):
        pixels, notes, icc = deep.decode_tiff(data, index, tags, path)
        picture = described(_tiff_exif(data, tags, index), dict(_tiff_info(tags)))
        picture = replace(picture, icc=icc, pixels=turned(pixels, orientation))
    else:
        kind = (
            f"Pillow does not know its samples of {tags.get(_BITS_PER_SAMPLE, (1,))} bits, "
            f"photometric {tags.get(_PHOTOMETRIC)}, compression {tags.get(_COMPRESSION, 1)}; store "
            "it as PNG first"
        )
        with opened(data, path, ("TIFF",), reason=kind) as image:
            image.seek(index)
            image.load()  # before its EXIF is read, which would load it and hide an error
            exif = exif_of(image) if index == 0 else _tiff_exif(data, tags, index)
            picture = described(exif, image.info)
            pixels, notes, icc = samples_of(image, path)  # which Pillow has turned
            picture = replace(picture, icc=icc, pixels=pixels)
        if max(tags.get(_BITS_PER_SAMPLE, (1,))) > 8:
            notes += ("its samples of 16 bits were reduced to 8",)
        if 0 in tags.get(deep.EXTRA_SAMPLES, ()):
            notes += ("a channel that is neither colour nor alpha was left out",)
    left_out = {name for tag, name in _LEFT_OUT.items() if tag in tags}
    if left_out:
        notes += (f"left out: {', '.join(sorted(left_out))}",)
    return replace(picture, iptc=_iptc(tags), notes=notes)


def _other(data: bytes, path: Path, max_pixels: int) -> Picture:
    with opened(data, path, ("WEBP", "BMP", "GIF"), others=_NAMES) as image:
        check_size(image.width, image.height, path, max_pixels)
        if image.format == "GIF":
            check_plausible(image.width, image.height, len(data), path)
        check_frames(image, path)
        image.load()
        exif = exif_of(image)
        picture = described(exif, image.info)
        pixels, notes, icc = samples_of(image, path)
        comment = image.info.get("comment", b"")
    if comment:
        text = png.latin_text("Comment", comment.decode("utf-8", "replace"))
        picture = replace(picture, chunks=(text,))
    return replace(picture, pixels=turned(pixels, exif.get(ORIENTATION, 1)), icc=icc, notes=notes)


def _orientation(exif: bytes) -> int:
    from PIL import Image

    try:
        block = Image.Exif()
        block.load(exif)
        return int(block.get(ORIENTATION, 1))
    except Exception:  # decoders raise whatever a damaged block makes them trip over
        return 1


def _tiff_exif(data: bytes, tags: deep.Tags, index: int) -> Exif:
    from PIL import Image

    exif = Image.Exif()
    if index or deep.is_big_tiff(data):
        # Pillow reads directories below the first one from small files only.
        for tag in tags:
            if isinstance(tags[tag], str):
                exif[tag] = tags[tag]
    else:
        exif.load(data)
    return exif


def _tiff_info(tags: Mapping[int, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what Pillow would have put into ``Image.info``."""
    if _ICC_TAG in tags:
        yield "icc_profile", tags[_ICC_TAG]
    if _XMP_TAG in tags:
        yield "xmp", tags[_XMP_TAG]
    unit = _PIXELS_PER_INCH.get(tags.get(_RESOLUTION_UNIT, 2))
    if unit and all(tag in tags for tag in _RESOLUTION):
        yield "dpi", tuple(float(tags[tag]) * unit for tag in _RESOLUTION)


def _iptc(tags: deep.Tags) -> bytes:
    """Return the IPTC block of a page, byte for byte.

    Many programs say that it consists of whole numbers, of which Pillow offers the first one.
    """
    stored: Mapping[int, bytes] = getattr(tags, "_tagdata", {})
    return stored.get(_IPTC_TAG, b"")
