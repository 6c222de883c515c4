"""AVIF and HEIC files: with more than 8 bits, with their rotation and their colour."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import MediaError
from restore_rt.images.boxes import beside, boxes_of, brands_of, nclx_of
from restore_rt.images.by_pillow import (
    check_frames,
    check_size,
    described,
    exif_of,
    opened,
    samples_of,
)
from restore_rt.images.metadata import ORIENTATION
from restore_rt.images.picture import Picture
from restore_rt.images.profiles import cicp_chunk
from restore_rt.images.samples import from_bits, straight, turned
from restore_rt.images.xmp import true_afterwards

__all__ = ["is_avif", "is_heif", "read_avif", "read_heif"]

_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}


def is_avif(data: bytes) -> bool:
    """Return whether a file is an AVIF."""
    return bool(brands_of(data) & _AVIF)


def is_heif(data: bytes) -> bool:
    """Return whether a file is a HEIF picture of another codec, HEIC mostly."""
    return bool(brands_of(data) & _HEIF) and not is_avif(data)


def read_avif(data: bytes, path: Path, max_pixels: int) -> Picture:
    """Return the picture of an AVIF file.

    Raises
    ------
    MediaError
        Pillow was built without AVIF, or the file is an animation or too large.
    """
    from PIL import features

    if not features.check("avif"):
        raise MediaError(
            f"{path} is an AVIF picture, and this Pillow cannot read them; install one that can: "
            "pip install --upgrade pillow"
        )
    with opened(data, path, ("AVIF",)) as image:
        check_size(image.width, image.height, path, max_pixels)
        check_frames(image, path)
        image.load()
        exif = exif_of(image)
        picture = described(exif, image.info)
        stored = _avif_bits(data)
        if stored > 8:
            pixels = _deep_avif(data)
        else:
            pixels, _, _ = samples_of(image, path)
    grey = pixels.ndim == 3 and picture.icc[16:20] == b"GRAY"
    if (
        grey
        and (pixels[..., 0] == pixels[..., 1]).all()
        and (pixels[..., 0] == pixels[..., 2]).all()
    ):
        pixels = pixels[..., 0] if pixels.shape[2] == 3 else pixels[..., [0, 3]]
    return replace(
        _completed(picture, data),
        depth=stored if stored > 8 else 0,
        pixels=turned(pixels, exif.get(ORIENTATION, 1)),
    )


def read_heif(data: bytes, path: Path, max_pixels: int) -> Picture:
    """Return the picture of a HEIC file.

    Raises
    ------
    MediaError
        The library that reads them is not installed, or the picture is too large.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise MediaError(
            f"{path} is a HEIC picture, which needs the package pillow-heif; install it with "
            "pip install 'restore-rt[heif]'"
        ) from error
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    width, height = file.size
    check_size(width, height, path, max_pixels)
    first = file[file.primary_index]
    mode, _, bits = first.mode.partition(";")
    pixels: NDArray[Any] = np.asarray(first)
    if bits:
        pixels = from_bits(pixels, int(bits))
    if mode.endswith("a"):
        pixels = straight(pixels)
    picture = described(_no_exif(), {**first.info, "exif": first.info.get("exif") or b""})
    notes: tuple[str, ...] = ()
    if len(file) > 1:
        notes = (f"the main one of {len(file)} pictures in the file is used, as viewers do",)
    picture = _completed(picture, data)
    depth = int(bits or 8)
    return replace(
        picture, pixels=pixels, depth=depth if 8 < depth < 16 else 0, notes=(*notes, *picture.notes)
    )


def _no_exif() -> Any:
    from PIL import Image

    return Image.Exif()


def _completed(picture: Picture, data: bytes) -> Picture:
    """Return a picture with the colour that its file states, and notes of what lies beside it."""
    nclx = None if picture.icc else nclx_of(data)
    notes = tuple(f"left out, which belongs to the original: {thing}" for thing in beside(data))
    xmp = true_afterwards(picture.xmp)
    return replace(
        picture, xmp=xmp, chunks=cicp_chunk(*nclx) if nclx else (), notes=(*picture.notes, *notes)
    )


def _avif_bits(data: bytes) -> int:
    """Return the bits of a sample, from the configuration of the AV1 decoder."""
    meta = dict(boxes_of(data)).get(b"meta", b"")
    place = meta.find(b"av1C")
    if place < 0:
        return 8
    flags = meta[place + 6]
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def _deep_avif(data: bytes) -> NDArray[np.uint16]:
    import imagecodecs

    pixels = from_bits(imagecodecs.avif_decode(data), _avif_bits(data))
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
