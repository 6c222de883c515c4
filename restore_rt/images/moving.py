"""Tells pictures that move from stills, by as little of the file as says so."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["moves"]

_PNG_MARK = b"\x89PNG\r\n\x1a\n"
_GIF_MARKS = (b"GIF87a", b"GIF89a")


def moves(path: Path) -> bool:
    """Return whether a GIF, PNG or WebP file holds several pictures; no for what is neither."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            if head.startswith(_PNG_MARK):
                return _png_moves(file)
            if head[:4] == b"RIFF" and head[8:] == b"WEBP":
                return _webp_moves(file)
            if head.startswith(_GIF_MARKS):
                return _gif_moves(file)
    except (OSError, IndexError, struct.error):
        pass  # a damaged file is told of by what reads it
    return False


def _png_moves(file: BinaryIO) -> bool:
    file.seek(len(_PNG_MARK))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"acTL":
            return int.from_bytes(file.read(4), "big") > 1
        if kind == b"IDAT":
            return False
        file.seek(length + 4, 1)
    return False


def _webp_moves(file: BinaryIO) -> bool:
    count = 0
    while count < 2 and len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        count += kind == b"ANMF"
        file.seek(length + length % 2, 1)
    return count > 1


def _gif_moves(file: BinaryIO) -> bool:
    file.seek(10)
    _skip_palette(file, 2)
    count = 0
    while count < 2:
        kind = file.read(1)
        if kind == b",":
            count += 1
            file.seek(8, 1)
            _skip_palette(file)
        elif kind != b"!":
            return False
        file.seek(1, 1)  # the extension's label, or the size of the pixels' codes
        while length := file.read(1)[0]:
            file.seek(length, 1)
    return True


def _skip_palette(file: BinaryIO, between: int = 0) -> None:
    """Read a byte of flags and pass over the bytes behind it and the palette that it announces."""
    flags = file.read(1)[0]
    size = 3 << (flags & 7) + 1 if flags & 0x80 else 0
    file.seek(between + size, 1)
