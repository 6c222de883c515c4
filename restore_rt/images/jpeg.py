"""JPEG files taken apart: what belongs to the picture, what follows it, and what is missing."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["JpegParts", "app13_of", "completed", "is_jpeg", "missing", "parts_of"]

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_ALONE = {0x01, *range(0xD0, 0xD8)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_APP1, _APP2, _APP11, _APP13, _COMMENT = 0xE1, 0xE2, 0xEB, 0xED, 0xFE
# Zeros after 0xff are stuffed, and restart markers belong to a scan's data.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC = 0x0404
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"
_END_MARKER = b"\xff\xd9"
_UNFILLED = 64
# Data that no scan needs: a decoder that shows other pixels because of it had come to the end.
_PROBE = np.random.default_rng(0).integers(0, 255, 4096, np.uint8).tobytes() * 16


@dataclass(frozen=True)
class JpegParts:
    """What a JPEG file holds.

    Attributes
    ----------
    end
        Where the first picture ends; the file's length if its end is missing.
    ended
        The marker of its end is there.
    scanned
        A scan begins: there are pixels.
    progressive
        Its scans refine each other.
    refined
        Its scans hold everything, if each of them is whole.
    bits
        Bits of a sample.
    iptc
        An IPTC block, or empty.
    comment
        Its comment.
    left_out
        What comes with the picture and is not kept, in words.
    """

    end: int
    ended: bool = False
    scanned: bool = False
    progressive: bool = False
    refined: bool = True
    bits: int = 8
    iptc: bytes = b""
    comment: bytes = b""
    left_out: tuple[str, ...] = ()


def is_jpeg(data: bytes) -> bool:
    """Return whether a file is a JPEG."""
    return data.startswith(b"\xff\xd8\xff")


def parts_of(data: bytes) -> JpegParts:
    """Return what a JPEG file holds."""
    segments: list[tuple[int, bytes]] = []
    end, ended = 2, False
    while (found := _NEXT_MARKER.search(data, end)) is not None:
        marker, after = data[found.end() - 1], found.end()
        if marker == _END:
            end, ended = after, True
            break
        if marker in _ALONE or marker == _START:
            end = after
            continue
        length = int.from_bytes(data[after : after + 2], "big")
        if after + max(length, 2) > len(data):
            end = found.start()  # a segment that is cut short would hide the marker of the end
            break
        segments.append((marker, data[after + 2 : after + length]))
        end = after + length
    else:
        end = len(data)
    kinds = {marker for marker, _ in segments}
    iptc = b"".join(app13_of(body) for marker, body in segments if marker == _APP13)
    return JpegParts(
        end,
        ended,
        _SCAN in kinds,
        bool(kinds & _PROGRESSIVE),
        _is_refined(segments),
        next((body[0] for marker, body in segments if marker in _FRAMES and body), 8),
        iptc,
        b"\n".join(body for marker, body in segments if marker == _COMMENT),
        _left_out(segments, data[end:] if ended else b""),
    )


def completed(data: bytes, parts: JpegParts) -> bytes:
    """Return the first picture of a file, with the marker of its end."""
    if parts.ended:
        return data[: parts.end]
    body = data[: parts.end]
    without = body.rstrip(b"\0")
    # Zeros are the rest of a file that was never filled; a few may belong to a scan.
    body = without if len(body) - len(without) >= _UNFILLED else body
    return body.rstrip(b"\xff") + _END_MARKER


def missing(data: bytes, parts: JpegParts, pixels: NDArray[np.uint8]) -> str:
    """Return what of a picture is not in its file, in words; empty if it is whole.

    Parameters
    ----------
    data
        The file of the picture alone, as ``completed`` returns it.
    parts
        What the file holds.
    pixels
        What it decodes to.
    """
    from PIL import Image

    body = data.removesuffix(_END_MARKER).rstrip(b"\xff")
    with Image.open(io.BytesIO(body + _PROBE + _END_MARKER), formats=("JPEG",)) as image:
        other = np.asarray(image)
    rows = np.flatnonzero((pixels != other).reshape(len(pixels), -1).any(axis=1))
    if not rows.size and parts.refined:
        return ""
    height = len(pixels)
    if parts.progressive:
        if rows.size and _shows_nothing(pixels[rows[0] :]):
            return _rows_missing(height - int(rows[0]), height)
        return "the file ends early: the finest detail is missing"
    if not rows.size:
        return "the file ends early: the colour of the picture, or a part of it, is missing"
    return _rows_missing(height - int(rows[0]), height)


def app13_of(body: bytes) -> bytes:
    """Return the IPTC block of a Photoshop segment, or nothing."""
    position = len(_PHOTOSHOP)
    if not body.startswith(_PHOTOSHOP):
        return b""
    while body[position : position + 4] == b"8BIM" and position + 12 <= len(body):
        kind = struct.unpack_from(">H", body, position + 4)[0]
        name = body[position + 6] + 1
        position += 6 + name + name % 2
        (size,) = struct.unpack_from(">I", body.ljust(position + 4, b"\0"), position)
        if kind == _IPTC:
            return body[position + 4 : position + 4 + size]
        position += 4 + size + size % 2
    return b""


def _rows_missing(count: int, height: int) -> str:
    return f"the file ends early: {count} of its {height} rows are missing and left grey"


def _shows_nothing(pixels: NDArray[np.uint8]) -> bool:
    """Return whether the last rows of a picture are those of a decoder without data."""
    last = pixels[-1].astype(int)
    return int(last.max(axis=0).max()) - int(last.min(axis=0).min()) <= 1


def _is_refined(segments: list[tuple[int, bytes]]) -> bool:
    """Return whether the scans bring every coefficient of every component to its last bit."""
    components: set[int] = set()
    left: dict[tuple[int, int], int] = {}
    for marker, body in segments:
        if marker in _FRAMES and len(body) >= 6:
            components = {
                body[6 + 3 * index] for index in range(body[5]) if len(body) > 6 + 3 * index
            }
        elif marker == _SCAN and body and len(body) >= 4 + 2 * body[0]:
            first, last, bits = body[1 + 2 * body[0] : 4 + 2 * body[0]]
            for index in range(body[0]):
                for coefficient in range(first, min(last, 63) + 1):
                    left[body[1 + 2 * index], coefficient] = bits & 15
    return all(
        left.get((component, coefficient)) == 0
        for component in components
        for coefficient in range(64)
    )


def _left_out(segments: list[tuple[int, bytes]], tail: bytes) -> tuple[str, ...]:
    """Return in words what belongs to the original file only."""
    of = {
        marker: b"".join(body for kind, body in segments if kind == marker)
        for marker in (_APP1, _APP2, _APP11)
    }
    xmp, found = of[_APP1], []
    gain_map = b"hdrgm:" in xmp + tail or b"HDRGainMap" in xmp + tail
    if gain_map or _ISO_GAIN_MAP in of[_APP2] + tail:
        found.append("the HDR gain map")
    depth = b"GDepth:" in xmp or b'Semantic="Depth"' in xmp
    if depth:
        found.append("the depth map")
    video = b"ftyp" in tail
    if video:
        found.append("the video of a motion photo")
    pictures = len(re.findall(rb"\xff\xd8\xff[\xe0-\xef\xdb]", tail.partition(b"ftyp")[0]))
    if pictures and not (gain_map or depth):
        found.append(f"all but the first of {pictures + 1} pictures")
    if not (pictures or video) and tail.strip(b"\0\xff\r\n "):
        found.append(f"{len(tail)} bytes after the picture")
    if _EXTENDED_XMP in xmp:
        found.append("extended XMP")
    if of[_APP11]:
        found.append("content credentials, which hold for the original alone")
    return tuple(found)
