"""AVIF files of more than 8 bits, which Pillow cannot write, and metadata for them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from restore_rt.images.boxes import boxes_of

__all__ = ["deep_avif", "with_codes"]

# Colour primaries of BT.709, transfer function of sRGB.
_SRGB = bytes((1, 13))
_NCLX = b"colrnclx"
_SPEED = 6


def deep_avif(
    pixels: NDArray[Any],
    *,
    bits: int,
    quality: int,
    codes: bytes = b"",
    icc: bytes = b"",
    exif: bytes = b"",
    xmp: bytes = b"",
) -> bytes:
    """Return an AVIF file.

    Parameters
    ----------
    pixels
        (H, W[, C]) uint16 in full range; C is 1, 3 or 4.
    bits
        Bits of a sample in the file, 10 or 12.
    quality
        1 to 100.
    codes
        Colour primaries and transfer function (ITU-T H.273), else those of sRGB.
    icc, exif, xmp
        Blocks of metadata, or empty.
    """
    import imagecodecs
    import numpy as np

    peak = (1 << bits) - 1
    data = imagecodecs.avif_encode(
        np.rint(pixels * np.float32(peak / 65535)).astype(np.uint16),
        quality,
        speed=_SPEED,
        bitspersample=bits,
        pixelformat="400" if pixels.ndim == 2 else "444",
    )
    items = []
    if exif:
        items.append((b"Exif", b"Exif\0", bytes(4) + exif))
    if xmp:
        items.append((b"mime", b"XMP\0application/rdf+xml\0", xmp))
    return _with_metadata(with_codes(bytes(data), codes or _SRGB), icc, items)


def with_codes(avif: bytes, codes: bytes) -> bytes:
    """Return an AVIF file that states other colour primaries and another transfer function."""
    place = avif.index(_NCLX) + len(_NCLX)
    return avif[:place] + struct.pack(">HH", *codes[:2]) + avif[place + 4 :]


def _with_metadata(data: bytes, icc: bytes, items: Sequence[tuple[bytes, bytes, bytes]]) -> bytes:
    """Add a profile, and items (kind, name and type, contents) that describe the picture.

    The file is one that libavif wrote: its tables have the short form.
    """
    boxes = list(boxes_of(data))
    before = b"".join(_box(kind, body) for kind, body in boxes[: _place(boxes, b"meta")])
    after = b"".join(_box(kind, body) for kind, body in boxes[_place(boxes, b"meta") + 1 :])
    meta = dict(boxes)[b"meta"]
    parts = dict(boxes_of(meta, 4))
    parts.setdefault(b"iref", bytes(4))
    (main,) = struct.unpack_from(">H", parts[b"pitm"], 4)
    (count,) = struct.unpack_from(">H", parts[b"iinf"], 4)
    numbers = range(count + 1, count + 1 + len(items))
    if icc:
        parts[b"iprp"] = _with_profile(parts[b"iprp"], main, icc)
    infos = b"".join(
        _box(b"infe", b"\2\0\0\0" + struct.pack(">HH", number, 0) + kind + name)
        for number, (kind, name, _) in zip(numbers, items, strict=True)
    )
    total = struct.pack(">H", count + len(items))
    parts[b"iinf"] = parts[b"iinf"][:4] + total + parts[b"iinf"][6:] + infos
    parts[b"iref"] += b"".join(
        _box(b"cdsc", struct.pack(">HHH", number, 1, main)) for number in numbers
    )
    contents = [content for _, _, content in items]
    # The table of places has its final size before the places are known.
    table = _places(parts[b"iloc"], numbers, contents, 0, 0)
    size = 8 + 4 + sum(8 + len(body) for kind, body in parts.items() if kind != b"iloc")
    grown = size + 8 + len(table) - (8 + len(meta))
    end = len(data) + grown + 8
    parts[b"iloc"] = _places(parts[b"iloc"], numbers, contents, grown, end)
    changed = meta[:4] + b"".join(_box(kind, body) for kind, body in parts.items())
    return before + _box(b"meta", changed) + after + _box(b"mdat", b"".join(contents))


def _place(boxes: Sequence[tuple[bytes, bytes]], kind: bytes) -> int:
    return next(index for index, (name, _) in enumerate(boxes) if name == kind)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _with_profile(properties: bytes, main: int, icc: bytes) -> bytes:
    """Add a profile to the properties, and associate it with the main item."""
    parts = dict(boxes_of(properties))
    number = sum(1 for _ in boxes_of(parts[b"ipco"])) + 1
    parts[b"ipco"] += _box(b"colr", b"prof" + icc)
    table = bytearray(parts[b"ipma"])
    (entries,) = struct.unpack_from(">I", table, 4)
    at = 8
    for _ in range(entries):
        item, count = struct.unpack_from(">HB", table, at)
        if item == main:
            table[at + 2] += 1
            table.insert(at + 3 + count, number)
            break
        at += 3 + count
    parts[b"ipma"] = bytes(table)
    return b"".join(_box(kind, body) for kind, body in parts.items())


def _places(
    table: bytes, numbers: Sequence[int], contents: Sequence[bytes], grown: int, end: int
) -> bytes:
    """Return the table of the items' places: the old ones moved, the new ones from ``end`` on."""
    (count,) = struct.unpack_from(">H", table, 6)
    changed = bytearray(table)
    at = 8
    for _ in range(count):
        (extents,) = struct.unpack_from(">H", table, at + 4)
        for extent in range(at + 6, at + 6 + 8 * extents, 8):
            (place,) = struct.unpack_from(">I", table, extent)
            struct.pack_into(">I", changed, extent, place + grown)
        at += 6 + 8 * extents
    for number, content in zip(numbers, contents, strict=True):
        changed += struct.pack(">HHHII", number, 0, 1, end, len(content))
        end += len(content)
    struct.pack_into(">H", changed, 6, count + len(numbers))
    return bytes(changed)
