"""JPEG 2000 files: with more than 8 bits, and with the metadata that Pillow passes over."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from restore_rt.errors import MediaError
from restore_rt.images.boxes import boxes_of
from restore_rt.images.by_pillow import check_size, described, exif_of, opened, samples_of
from restore_rt.images.picture import Picture
from restore_rt.images.samples import from_bits, straight
from restore_rt.images.xmp import true_afterwards

__all__ = ["is_jpeg2000", "read_jpeg2000"]

_FILE = b"\0\0\0\x0cjP  \r\n\x87\n"
_CODESTREAM = b"\xff\x4f\xff\x51"
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF = b"JpgTiffExif->JP2"
# Enumerated (1), of no precedence and approximation: sYCC.
_SYCC = bytes((1, 0, 0, 0, 0, 0, 18))


def is_jpeg2000(data: bytes) -> bool:
    """Return whether a file is a JPEG 2000, with boxes or a bare codestream."""
    return data.startswith((_FILE, _CODESTREAM))


def read_jpeg2000(data: bytes, path: Path, max_pixels: int) -> Picture:
    """Return the picture of a JPEG 2000 file.

    Raises
    ------
    MediaError
        It is too large, or its kind of samples is not supported.
    """
    import imagecodecs

    with opened(data, path, ("JPEG2000",)) as image:
        check_size(image.width, image.height, path, max_pixels)
        bits = _bits(data)
        picture = described(exif_of(image), image.info)
        header = {}
        if data.startswith(_FILE):
            boxes = list(boxes_of(data))
            header = dict(boxes_of(dict(boxes).get(b"jp2h", b"")))
            picture = _with_boxes(picture, boxes, header)
        if bits <= 8:
            image.load()
            image.info["icc_profile"] = picture.icc
            pixels, notes, icc = samples_of(image, path)
            picture = replace(picture, icc=icc, notes=notes)
        else:
            ycc = header.get(b"colr", b"")[:7] == _SYCC
            if b"pclr" in header or ycc:
                raise MediaError(
                    f"{path} has samples of {bits} bits with a palette or as Y'CbCr; allowed above "
                    "8 bits are grey and RGB: convert it first"
                )
            samples = imagecodecs.jpeg2k_decode(data)
            if samples.dtype not in (np.uint8, np.uint16):
                raise MediaError(
                    f"{path} has samples of {samples.dtype}; allowed are unsigned ones of up to 16 "
                    "bits: convert it first"
                )
            pixels = from_bits(samples, bits)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if channels > 4:
        raise MediaError(f"{path} has {channels} channels; allowed are 1 to 4: convert it first")
    if channels in (2, 4) and _is_premultiplied(header.get(b"cdef", b"")):
        pixels = straight(pixels)
    return replace(picture, pixels=pixels, depth=bits if 8 < bits < 16 else 0)


def _bits(data: bytes) -> int:
    """Return the largest number of bits of a sample."""
    place = data.find(_CODESTREAM)
    (count,) = struct.unpack_from(">H", data, place + 40)
    return 1 + max((data[place + 42 + 3 * index] & 0x7F) for index in range(count))


def _with_boxes(
    picture: Picture, boxes: list[tuple[bytes, bytes]], header: dict[bytes, bytes]
) -> Picture:
    colour = header.get(b"colr", b"")
    if colour[:1] in (b"\2", b"\3"):
        picture = replace(picture, icc=colour[3:])
    for kind, body in boxes:
        if kind == b"uuid" and body.startswith(_XMP):
            picture = replace(picture, xmp=true_afterwards(body[16:]))
        elif kind == b"uuid" and body.startswith(_EXIF):
            picture = replace(picture, exif=body[16:].removeprefix(b"Exif\0\0"))
    return picture


def _is_premultiplied(definitions: bytes) -> bool:
    """Return whether the box of channel definitions says so of a channel."""
    kinds = {
        struct.unpack_from(">H", definitions, at)[0] for at in range(4, len(definitions) - 1, 6)
    }
    return 2 in kinds
