"""The boxes of ISO media files (AVIF, HEIC) and of JPEG 2000, as far as pictures need them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

__all__ = ["beside", "boxes_of", "brands_of", "nclx_of"]


def boxes_of(data: bytes, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the body of each box; the last one may be cut short."""
    while start + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1 and start + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        if size == 0:
            size = len(data) - start
        if size < header:
            return
        yield kind, data[start + header : start + size]
        start += size


def brands_of(data: bytes) -> set[bytes]:
    """Return what a file says that it is; nothing if it is no ISO media file."""
    if data[4:8] != b"ftyp":
        return set()
    _, body = next(boxes_of(data), (b"", b""))
    return {body[:4]} | {body[place : place + 4] for place in range(8, len(body), 4)}


def nclx_of(data: bytes) -> tuple[int, int] | None:
    """Return colour primaries and transfer function (ITU-T H.273) of an ISO media picture."""
    meta = dict(boxes_of(data)).get(b"meta", b"")
    found = re.search(rb"colrnclx(.{4})", meta, re.DOTALL)
    return None if found is None else struct.unpack(">HH", found[1])


def beside(data: bytes) -> tuple[str, ...]:
    """Return in words what lies beside the picture of an ISO media file."""
    meta = dict(boxes_of(data)).get(b"meta", b"")
    found = []
    if b"tmap" in meta or b"hdrgainmap" in meta:
        found.append("the HDR gain map")
    if b"urn:mpeg:hevc:2015:auxid:2" in meta or b"auxid:depth" in meta:
        found.append("the depth map")
    if b"semantic" in meta and b"matte" in meta:
        found.append("mattes")
    if b"moov" in dict(boxes_of(data)):
        found.append("a video or a sequence")
    return tuple(found)
