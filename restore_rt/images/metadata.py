"""EXIF blocks, edited in place: what is not understood stays as it is, byte for byte."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["ORIENTATION", "Entry", "byte_order", "first_entries", "resized", "upright_xmp"]

ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_WIDTH, _HEIGHT = 0xA002, 0xA003

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
        elif entry.tag == _EXIF_IFD and entry.kind == _LONG:
            offset = struct.unpack_from(order + "I", exif, entry.position + 8)[0]
            for inner in _entries(exif, order, offset):
                if inner.tag in (_WIDTH, _HEIGHT):
                    _set(block, order, inner, width if inner.tag == _WIDTH else height)
    return bytes(block)


def upright_xmp(xmp: bytes) -> bytes:
    """Return an XMP packet whose orientation, if it states one, is the upright one."""
    return re.sub(rb"(tiff:Orientation(?:=[\"']|>))\d", rb"\g<1>1", xmp)


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
