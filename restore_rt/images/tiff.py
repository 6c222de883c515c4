"""TIFF files of 8 and 16 bits that keep an EXIF block as it is.

An EXIF block is a TIFF structure: the file begins with it, so that every offset in it stays right,
and a new first directory, which takes over its entries, describes the picture after it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from restore_rt.errors import InputError
from restore_rt.images.metadata import Entry, byte_order, first_entries
from restore_rt.images.picture import Picture

__all__ = ["tiff_file"]

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 2, 3, 4, 5, 7
_BYTES = {_SHORT: 2, _LONG: 4, _RATIONAL: 8}

# Tags that say how an image is stored: those of the EXIF block's own do not hold here.
_STORAGE = {*range(254, 260), 262, 266, *range(273, 285), 296, 317, 318, 319, *range(320, 326)}
_STORAGE |= {330, 338, 339, 347, *range(512, 522), *range(529, 533), 700, 33723, 34675}

_DEFLATE = 8
_HORIZONTAL = 2
_PAGE_OF_SEVERAL = 2
_STRIP_BYTES = 1 << 20
_LARGEST = (1 << 32) - 1


def tiff_file(pages: Sequence[Picture]) -> bytes:
    """Return a TIFF file: deflate with horizontal differences, in strips.

    Parameters
    ----------
    pages
        One picture or more; the EXIF block of the first one is kept whole, of the others their
        texts.

    Raises
    ------
    InputError
        It would be larger than a TIFF file can be, 4 GiB.
    """
    exif = pages[0].exif
    order = byte_order(exif or b"II*\0")
    file = bytearray(exif or b"II*\0\0\0\0\0")
    link = 4
    for picture in pages:
        entries = _page(file, order, picture, several=len(pages) > 1)
        if picture.exif:
            for old in first_entries(picture.exif):
                if old.tag in _STORAGE or old.tag in entries:
                    continue
                if picture is pages[0]:
                    entries[old.tag] = exif[old.position : old.position + 12]
                elif old.kind == _ASCII:
                    entries[old.tag] = _entry(file, order, old.tag, _ASCII, _text(picture, old))
        _align(file)
        struct.pack_into(order + "I", file, link, len(file))
        file += struct.pack(order + "H", len(entries))
        file += b"".join(entries[tag] for tag in sorted(entries))
        link = len(file)
        file += bytes(4)
        if len(file) > _LARGEST:
            raise InputError("tiff cannot hold more than 4 GiB; use png")
    return bytes(file)


def _page(
    file: bytearray, order: Literal["<", ">"], picture: Picture, *, several: bool
) -> dict[int, bytes]:
    """Add a page's samples to a file, and return the entries that describe them."""
    height, width = picture.pixels.shape[:2]
    samples = picture.pixels.reshape(height, width, -1)
    channels = samples.shape[2]
    rows = max(1, _STRIP_BYTES // (width * channels * samples.itemsize))
    offsets, counts = [], []
    for top in range(0, height, rows):
        strip = samples[top : top + rows].copy()
        strip[:, 1:] -= samples[top : top + rows, :-1]
        stored = zlib.compress(strip.astype(strip.dtype.newbyteorder(order)).tobytes())
        _align(file)
        offsets.append(len(file))
        counts.append(len(stored))
        file += stored
        if len(file) > _LARGEST:
            raise InputError("tiff cannot hold more than 4 GiB; use png")

    tags: dict[int, tuple[int, list[int] | bytes]] = {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [samples.itemsize * 8] * channels),
        259: (_SHORT, [_DEFLATE]),
        262: (_SHORT, [1 if channels < 3 else 2]),
        273: (_LONG, offsets),
        274: (_SHORT, [1]),
        277: (_SHORT, [channels]),
        278: (_LONG, [min(rows, height)]),
        279: (_LONG, counts),
        317: (_SHORT, [_HORIZONTAL]),
    }
    if several:
        tags[254] = (_LONG, [_PAGE_OF_SEVERAL])
    if picture.dpi:
        tags[282], tags[283] = ((_RATIONAL, _fraction(side)) for side in picture.dpi)
        tags[296] = (_SHORT, [2])
    if channels in (2, 4):
        tags[338] = (_SHORT, [2])
    if picture.xmp:
        tags[700] = (_BYTE, picture.xmp)
    if picture.iptc:
        tags[33723] = (_UNDEFINED, picture.iptc)
    if picture.icc:
        tags[34675] = (_UNDEFINED, picture.icc)
    return {tag: _entry(file, order, tag, *value) for tag, value in tags.items()}


def _text(picture: Picture, entry: Entry) -> bytes:
    """Return an entry's text from the EXIF block of a picture."""
    block, order = picture.exif, byte_order(picture.exif)
    place = entry.position + 8
    if entry.count > 4:
        (place,) = struct.unpack_from(order + "I", block, place)
    return block[place : place + entry.count]


def _entry(file: bytearray, order: str, tag: int, kind: int, value: list[int] | bytes) -> bytes:
    """Return a directory entry; what does not fit into it is put at the end of the file."""
    if isinstance(value, bytes):
        stored, count = value, len(value)
    else:
        letter = "H" if kind == _SHORT else "I"
        stored = struct.pack(f"{order}{len(value)}{letter}", *value)
        count = len(stored) // _BYTES[kind]
    if len(stored) > 4:
        _align(file)
        offset = len(file)
        file += stored
        stored = struct.pack(order + "I", offset)
    return struct.pack(order + "HHI", tag, kind, count) + stored.ljust(4, b"\0")


def _fraction(value: float) -> list[int]:
    whole = round(value)
    return [whole, 1] if np.isclose(value, whole, atol=1e-3) else [round(value * 1000), 1000]


def _align(file: bytearray) -> None:
    if len(file) % 2:
        file.append(0)
