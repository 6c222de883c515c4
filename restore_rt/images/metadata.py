"""EXIF blocks, edited in place: what is not understood stays as it is, byte for byte."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ORIENTATION",
    "Entry",
    "byte_order",
    "first_entries",
    "resized",
    "with_thumbnail",
    "without_thumbnail",
]

ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_IMAGE_WIDTH, _IMAGE_LENGTH = 0x0100, 0x0101
_WIDTH, _HEIGHT = 0xA002, 0xA003
_THUMBNAIL_PLACE, _THUMBNAIL_BYTES = 0x0201, 0x0202

_SHORT, _LONG = 3, 4


@dataclass(frozen=True)
class Entry:
    """One of the 12-byte entries of a TIFF directory, and where it lies in the block."""

    position: int
    tag: int
    kind: int
    count: int


def byte_order(block: bytes) -> Literal["<", ">"]:
    """Return ``"<"`` or ``">"``, the byte order of a TIFF structure.

    Raises
    ------
    ValueError
        It is not a TIFF structure.
    """
    if block.startswith(b"II*\0"):
        return "<"
    if block.startswith(b"MM\0*"):
        return ">"
    raise ValueError("not a TIFF structure")


def first_entries(block: bytes) -> list[Entry]:
    """Return the entries of the first directory.

    Raises
    ------
    ValueError, struct.error
        The block is damaged.
    """
    order = byte_order(block)
    return list(_entries(block, order, struct.unpack_from(order + "I", block, 4)[0]))


def resized(exif: bytes, width: int, height: int) -> bytes:
    """Return an EXIF block for an upright picture of this size, else unchanged.

    Raises
    ------
    ValueError, struct.error
        The block is damaged.
    """
    order = byte_order(exif)
    block = bytearray(exif)
    for entry in first_entries(exif):
        if entry.tag == ORIENTATION:
            _set(block, order, entry, 1)
        elif entry.tag in (_IMAGE_WIDTH, _IMAGE_LENGTH):
            _set(block, order, entry, width if entry.tag == _IMAGE_WIDTH else height)
        elif entry.tag == _EXIF_IFD and entry.kind == _LONG:
            offset = struct.unpack_from(order + "I", exif, entry.position + 8)[0]
            for inner in _entries(exif, order, offset):
                if inner.tag in (_WIDTH, _HEIGHT):
                    _set(block, order, inner, width if inner.tag == _WIDTH else height)
    return bytes(block)


def with_thumbnail(exif: bytes, make: Callable[[], bytes]) -> bytes:
    """Return an EXIF block whose thumbnail, if it has one, is replaced.

    Parameters
    ----------
    exif
        The block.
    make
        Returns the new thumbnail, a JPEG file.

    Raises
    ------
    ValueError, struct.error
        The block is damaged.
    """
    order = byte_order(exif)
    link = _second_link(exif, order)
    (second,) = struct.unpack_from(order + "I", exif, link)
    if not second:
        return exif
    entries = {entry.tag: entry for entry in _entries(exif, order, second)}
    if _THUMBNAIL_PLACE not in entries or _THUMBNAIL_BYTES not in entries:
        return without_thumbnail(exif)
    place, size = (
        struct.unpack_from(order + "I", exif, entries[tag].position + 8)[0]
        for tag in (_THUMBNAIL_PLACE, _THUMBNAIL_BYTES)
    )
    block = bytearray(exif)
    if exif[place : place + 2] == b"\xff\xd8":
        if place + size >= len(exif):
            del block[place:]
        else:
            block[place : place + size] = bytes(size)
    if len(block) % 2:
        block.append(0)
    jpeg = make()
    _set(block, order, entries[_THUMBNAIL_PLACE], len(block))
    _set(block, order, entries[_THUMBNAIL_BYTES], len(jpeg))
    if ORIENTATION in entries:
        _set(block, order, entries[ORIENTATION], 1)
    return bytes(block) + jpeg


def without_thumbnail(exif: bytes) -> bytes:
    """Return an EXIF block of which no directory describes a thumbnail.

    Raises
    ------
    ValueError, struct.error
        The block is damaged.
    """
    block = bytearray(exif)
    order = byte_order(exif)
    struct.pack_into(order + "I", block, _second_link(exif, order), 0)
    return bytes(block)


def _second_link(block: bytes, order: str) -> int:
    """Return where a block says where its second directory, that of the thumbnail, lies."""
    (first,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, first)
    return int(first) + 2 + 12 * int(count)


def _entries(block: bytes, order: str, offset: int) -> Iterator[Entry]:
    (count,) = struct.unpack_from(order + "H", block, offset)
    for index in range(count):
        position = offset + 2 + 12 * index
        yield Entry(position, *struct.unpack_from(order + "HHI4x", block, position))


def _set(block: bytearray, order: str, entry: Entry, value: int) -> None:
    if entry.count == 1 and entry.kind == _SHORT and value < 1 << 16:
        struct.pack_into(order + "HH", block, entry.position + 8, value, 0)
    elif entry.count == 1 and entry.kind in (_SHORT, _LONG):
        struct.pack_into(order + "HHII", block, entry.position, entry.tag, _LONG, 1, value)
