"""PNG chunks: texts and colour are kept byte for byte, and only the pixels go to a decoder.

Decoders limit texts and profiles to sizes that whole files exceed, and refuse a file for damage in
a chunk that holds no pixels.
"""

from __future__ import annotations

import binascii
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from restore_rt.images.picture import Chunk

__all__ = [
    "COLOUR",
    "TEXT",
    "PngParts",
    "is_png",
    "keyword",
    "latin_text",
    "parts_of",
    "with_parts",
]

# With the bytes that each has.
COLOUR = {b"cICP": 4, b"mDCV": 24, b"cLLI": 8, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}
TEXT = (b"tEXt", b"zTXt", b"iTXt")

_MARK = b"\x89PNG\r\n\x1a\n"
_HEADER_END = 33
_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
# Of the palette and the precision of the source, or of when it was written: not true afterwards.
_OUTDATED = {b"hIST", b"sBIT", b"sPLT", b"tIME", b"bKGD"}
_XMP = b"XML:com.adobe.xmp"
_RAW_PROFILE = b"Raw profile type "
_LARGEST_BLOCK = 1 << 28
_INCH = 0.0254


@dataclass(frozen=True)
class PngParts:
    """What a PNG file holds.

    Attributes
    ----------
    pixels
        A PNG file of the chunks that hold pixels.
    icc, exif, xmp
        Blocks of metadata, or empty.
    dpi
        Pixels per inch, across and down.
    kept
        Chunks of texts and colour.
    notes
        What was left out, for the user.
    damage
        What of the pixels is missing; empty if all are there.
    """

    pixels: bytes
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    kept: tuple[Chunk, ...] = ()
    notes: tuple[str, ...] = ()
    damage: str = ""


def is_png(data: bytes) -> bool:
    """Return whether a file is a PNG."""
    return data.startswith(_MARK)


def parts_of(data: bytes) -> PngParts:
    """Return what a PNG file holds; one that ends early is completed with black."""
    pixels = bytearray(_MARK)
    parts = PngParts(b"")
    unknown: list[str] = []
    ended = False
    position = len(_MARK)
    for position, kind, body, crc in _chunks(data):  # noqa: B007 - the position after the last
        if kind in _PIXELS:
            pixels += _stored(kind, body, crc)
            if kind == b"IEND":
                ended = True
                break
        elif crc != zlib.crc32(kind + body):
            parts = _noted(parts, f"a damaged {kind.decode('latin-1')} chunk was left out")
        else:
            try:
                parts = _with_chunk(parts, kind, body)
            except (ValueError, struct.error, zlib.error, IndexError):
                parts = _noted(parts, f"a damaged {kind.decode('latin-1')} chunk was left out")
            if kind not in (*COLOUR, *TEXT, *_OUTDATED, b"iCCP", b"eXIf", b"pHYs"):
                unknown.append(kind.decode("latin-1"))
    if unknown:
        parts = _noted(parts, f"chunks that are not known here were left out: {', '.join(unknown)}")
    if ended:
        left = data[position:].strip(b"\0")
        if left:
            parts = _noted(parts, f"{len(left)} bytes after the picture were left out")
        return replace(parts, pixels=bytes(pixels))
    whole, damage = _completed(bytes(pixels), data[position:])
    return replace(parts, pixels=whole, damage=damage)


def with_parts(
    png: bytes,
    *,
    icc: bytes = b"",
    exif: bytes = b"",
    xmp: bytes = b"",
    dpi: tuple[float, float] | None = None,
    kept: tuple[Chunk, ...] = (),
) -> bytes:
    """Return a PNG file, of pixels alone, with metadata."""
    colour = [chunk for chunk in kept if chunk[0] in COLOUR]
    if icc:  # the two exclude each other, and the profile says more
        colour = [chunk for chunk in colour if chunk[0] != b"sRGB"]
        colour.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)))
    chunks = colour
    if dpi:
        across, down = (round(side / _INCH) for side in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if exif:
        chunks.append((b"eXIf", exif))
    if xmp:
        chunks.append((b"iTXt", _XMP + bytes(5) + xmp.rstrip(b"\0")))
    chunks += [chunk for chunk in kept if chunk[0] not in COLOUR]
    added = b"".join(_stored(kind, body) for kind, body in chunks)
    return png[:_HEADER_END] + added + png[_HEADER_END:]


def keyword(chunk: Chunk) -> str:
    """Return what a text is called."""
    return chunk[1].partition(b"\0")[0].decode("latin-1")


def latin_text(key: str, text: str) -> Chunk:
    """Return a chunk of text."""
    try:
        return b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", key.encode("latin-1") + bytes(5) + text.encode()


def _chunks(data: bytes) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Yield the position behind each whole chunk, its kind, its body and its checksum."""
    position = len(_MARK)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data) or not kind.isalpha():
            return
        body = data[position + 8 : end - 4]
        yield end, kind, body, int.from_bytes(data[end - 4 : end], "big")
        position = end


def _stored(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", checksum)


def _noted(parts: PngParts, note: str) -> PngParts:
    return replace(parts, notes=(*parts.notes, note))


def _with_chunk(parts: PngParts, kind: bytes, body: bytes) -> PngParts:
    """Return the parts with what a chunk without pixels holds."""
    if kind == b"iCCP" and not parts.icc:
        return replace(parts, icc=_inflated(body[body.index(b"\0") + 2 :]))
    if kind == b"eXIf":
        return replace(parts, exif=body.removeprefix(b"Exif\0\0"))
    if kind == b"pHYs":
        across, down, unit = struct.unpack(">IIB", body)
        if unit == 1:
            return replace(parts, dpi=(across * _INCH, down * _INCH))
        return replace(parts, kept=(*parts.kept, (kind, body)))  # a ratio stays as it is
    if kind in TEXT:
        key = body[: body.index(b"\0")]
        if key == _XMP:
            return replace(parts, xmp=_text_of(kind, body))
        if key.startswith(_RAW_PROFILE):
            return _with_raw_profile(parts, kind, body, key)
    if kind in COLOUR and len(body) != COLOUR[kind]:
        raise ValueError("it has another length")
    if kind in (*COLOUR, *TEXT):
        return replace(parts, kept=(*parts.kept, (kind, body)))
    return parts


def _text_of(kind: bytes, body: bytes) -> bytes:
    _, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return _inflated(rest[1:])
    compressed = rest[0]
    text = rest[2:].split(b"\0", 2)[2]
    return _inflated(text) if compressed else text


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    block = stream.decompress(data, _LARGEST_BLOCK)
    if not stream.eof:
        raise ValueError("it is cut short or expands without end")
    return block


def _with_raw_profile(parts: PngParts, kind: bytes, body: bytes, key: bytes) -> PngParts:
    """Return the parts with a block that old programs wrote as text, in hexadecimal digits."""
    name = key.removeprefix(_RAW_PROFILE).lower()
    found = re.match(rb"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)", _text_of(kind, body))
    if found is None or name not in (b"exif", b"app1", b"xmp", b"icc", b"icm"):
        return replace(parts, kept=(*parts.kept, (kind, body)))
    block = binascii.unhexlify(re.sub(rb"\s", b"", found[1]))
    _, mark, xmp = block.partition(b"http://ns.adobe.com/xap/1.0/\0")
    if name in (b"icc", b"icm"):
        return replace(parts, icc=parts.icc or block)
    if name == b"xmp" or mark:
        return replace(parts, xmp=parts.xmp or (xmp if mark else block))
    return replace(parts, exif=parts.exif or block.removeprefix(b"Exif\0\0"))


def _completed(pixels: bytes, rest: bytes) -> tuple[bytes, str]:
    """Return a file that ends early with black in place of what is missing, and what that is."""
    if len(pixels) < _HEADER_END:
        return pixels + rest, ""  # nothing that a decoder could show
    if rest[4:8] == b"IDAT":
        pixels += _stored(b"IDAT", rest[8:])
    header, body = pixels[:_HEADER_END], b""
    others = b""
    for _, kind, chunk, crc in _chunks(pixels):
        if kind == b"IDAT":
            body += chunk
        elif kind in (b"PLTE", b"tRNS"):
            others += _stored(kind, chunk, crc)
    if b"acTL" in pixels[:200] or not body:
        return pixels, ""
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", header, 16)
    stream = zlib.decompressobj()
    row = 1 + -(-width * bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] // 8)
    needed = sum(_pass_bytes(width, height, row, bits, colour)) if interlaced else row * height
    # Byte by byte at the end: what was decoded before an error counts.
    samples = stream.decompress(body, needed)
    end = _stored(b"IEND", b"")
    if len(samples) == needed:
        return header + others + _stored(b"IDAT", zlib.compress(samples, 1)) + end, ""
    if not samples:
        return pixels, ""
    whole = samples.ljust(needed, b"\0")
    damage = (
        "the file ends early: its last passes of pixels are missing"
        if interlaced
        else f"the file ends early: {height - len(samples) // row} of its {height} rows are "
        "missing and left black"
    )
    return header + others + _stored(b"IDAT", zlib.compress(whole, 1)) + end, damage


def _pass_bytes(width: int, height: int, row: int, bits: int, colour: int) -> Iterator[int]:
    """Yield the bytes of each pass of Adam7."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    for left, top, across, down in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
        (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
    ):  # fmt: skip
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            yield rows * (1 + -(-columns * bits * channels // 8))
