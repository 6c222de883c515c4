"""Where the parts of a file lie: chunks, boxes, elements, segments, fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Part", "parts_of"]

_MOST_PARTS = 3000
_BOXES = frozenset(
    b"moov trak mdia minf stbl dinf edts udta mvex moof traf meta iprp ipco ilst".split()
)
_LISTS = (b"RIFF", b"LIST")
# Matroska's elements that hold others: Segment, SeekHead, Seek, Info, Tracks, TrackEntry, Video,
# Audio, Cluster, BlockGroup, Cues, CuePoint, CueTrackPositions, Tags, Tag, Targets, SimpleTag.
_ELEMENTS = frozenset(
    number.to_bytes((number.bit_length() + 7) // 8, "big")
    for number in (
        *(0x18538067, 0x114D9B74, 0x4DBB, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0xE1, 0x1F43B675),
        *(0xA0, 0x1C53BB6B, 0xBB, 0xB7, 0x1254C367, 0x7373, 0x63C0, 0x67C8),
    )
)
_DEEPEST_FIELD = 4


@dataclass(frozen=True)
class Part:
    """A piece of a file that says how long it is.

    Attributes
    ----------
    begin, end
        Where it lies, its header included.
    length_at, length_bytes
        Where it says its length, and in how many bytes; none if it does not.
    order
        Of these bytes: ``"big"``, ``"little"`` or, for a protocol buffer, ``"varint"``.
    depth
        The number of parts around it; those of one depth can change places.
    """

    begin: int
    end: int
    length_at: int = 0
    length_bytes: int = 0
    order: str = "big"
    depth: int = 0


def parts_of(data: bytes, name: str) -> list[Part]:
    """Return the parts of a file; pieces of equal length where its format is not known here."""
    walk = _walk(data, name)
    found = (
        [] if walk is None else [part for part, _ in zip(walk, range(_MOST_PARTS), strict=False)]
    )
    step = max(16, len(data) // 16)
    return found or [
        Part(begin, min(begin + step, len(data))) for begin in range(0, len(data), step)
    ]


def _walk(data: bytes, name: str) -> Iterator[Part] | None:
    if name.endswith(".onnx"):
        return _fields(data, 0, len(data), 0)
    if data.startswith(b"\x89PNG"):
        return _png(data)
    if data.startswith(b"RIFF"):
        return _riff(data, 0, len(data), 0)
    if data.startswith(b"\x1aE\xdf\xa3"):
        return _matroska(data, 0, len(data), 0)
    if data[4:8] in (b"ftyp", b"moov", b"jP  ", b"wide"):
        return _boxes(data, 0, len(data), 0)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data[:4] == b"II*\0":
        return _tiff(data)
    if name.endswith(".ts"):
        return (Part(begin, begin + 188) for begin in range(0, len(data), 188))
    if data.startswith(b"OggS"):
        return _marked(data, b"OggS")
    if name.endswith((".h264", ".mpg")):
        return _marked(data, b"\0\0\1")
    if data.startswith(b"FLV"):
        return _flv(data)
    return None


def _png(data: bytes) -> Iterator[Part]:
    position = 8
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        yield Part(position, end, position, 4)
        position = end


def _riff(data: bytes, position: int, end: int, depth: int) -> Iterator[Part]:
    while position + 8 <= end:
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        after = position + 8 + size + size % 2
        yield Part(position, min(after, end), position + 4, 4, "little", depth)
        if data[position : position + 4] in _LISTS:
            yield from _riff(data, position + 12, min(after, end), depth + 1)
        position = after


def _boxes(data: bytes, position: int, end: int, depth: int) -> Iterator[Part]:
    while position + 8 <= end:
        size = int.from_bytes(data[position : position + 4], "big") or end - position
        kind = data[position + 4 : position + 8]
        after = position + max(size, 8)
        yield Part(position, min(after, end), position, 4, "big", depth)
        if kind in _BOXES:
            inner = position + (12 if kind == b"meta" else 8)
            yield from _boxes(data, inner, min(after, end), depth + 1)
        position = after


def _matroska(data: bytes, position: int, end: int, depth: int) -> Iterator[Part]:
    while position + 2 <= end:
        id_bytes = 9 - data[position].bit_length()
        length_at = position + id_bytes
        if length_at >= end or not data[length_at]:
            return
        length_bytes = 9 - data[length_at].bit_length()
        begin = length_at + length_bytes
        size = int.from_bytes(data[length_at:begin], "big") & ((1 << 7 * length_bytes) - 1)
        after = min(begin + size, end)
        yield Part(position, after, length_at, length_bytes, "big", depth)
        if data[position:length_at] in _ELEMENTS:
            yield from _matroska(data, begin, after, depth + 1)
        position = after


def _jpeg(data: bytes) -> Iterator[Part]:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        yield Part(position, end, position + 2, 2)
        if data[position + 1] == 0xDA:  # the samples follow, up to a marker of another kind
            begin = end
            while end + 1 < len(data) and not (
                data[end] == 0xFF and data[end + 1] not in (0, *range(0xD0, 0xD8))
            ):
                end += 1
            yield Part(begin, end)
        position = end


def _tiff(data: bytes) -> Iterator[Part]:
    """Yield the entries of all directories: a number of values is what says how long each is."""
    at = int.from_bytes(data[4:8], "little")
    while at and at + 2 <= len(data):
        count = int.from_bytes(data[at : at + 2], "little")
        for number in range(count):
            begin = at + 2 + 12 * number
            yield Part(begin, begin + 12, begin + 4, 4, "little")
        after = at + 2 + 12 * count
        at = int.from_bytes(data[after : after + 4], "little")


def _marked(data: bytes, mark: bytes) -> Iterator[Part]:
    begin = data.find(mark)
    while begin >= 0:
        after = data.find(mark, begin + len(mark))
        yield Part(begin, len(data) if after < 0 else after)
        begin = after


def _flv(data: bytes) -> Iterator[Part]:
    position = 13
    while position + 15 <= len(data):
        end = position + 15 + int.from_bytes(data[position + 1 : position + 4], "big")
        yield Part(position, end, position + 1, 3)
        position = end


def _fields(data: bytes, position: int, end: int, depth: int) -> Iterator[Part]:
    """Yield the fields of a protocol buffer, and those inside of what looks like another one."""
    while position < end:
        begin = position
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == 0:
            _, position = _varint(data, position)
            yield Part(begin, position, depth=depth)
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
            yield Part(begin, position, depth=depth)
        elif kind == 2:
            length_at = position
            size, position = _varint(data, position)
            inner, position = position, position + size
            yield Part(begin, position, length_at, inner - length_at, "varint", depth)
            if depth < _DEEPEST_FIELD and _is_message(data, inner, position):
                yield from _fields(data, inner, position, depth + 1)
        else:
            return


def _is_message(data: bytes, position: int, end: int) -> bool:
    """Whether bytes can be the fields of a protocol buffer, numbered as ONNX numbers its own."""
    count = 0
    while position < end:
        tag, position = _varint(data, position)
        if tag & 7 not in (0, 1, 2, 5) or not 1 <= tag >> 3 <= 30:
            return False
        if tag & 7 == 2:
            size, position = _varint(data, position)
            position += size
        elif tag & 7 == 0:
            _, position = _varint(data, position)
        else:
            position += 8 if tag & 7 == 1 else 4
        count += 1
    return position == end and count > 0


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, position
