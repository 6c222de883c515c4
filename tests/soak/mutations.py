"""Damage to a file: the same for the same seed."""

from __future__ import annotations

import dataclasses
import random
import zlib
from collections.abc import Callable

import onnx

from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest
from tests.soak.structure import Part, parts_of

__all__ = ["mutated"]

Damage = Callable[[bytes, list[Part], random.Random], bytes]

# A header is what lies within this many bytes of the beginning of the file or of a part.
_HEADER = 64
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(data: bytes, name: str, rng: random.Random) -> tuple[str, bytes]:
    """Return a damaged copy of a file, and what was done to it.

    Parameters
    ----------
    data
        The whole file.
    name
        Its name, the suffix of which says what it is where its first bytes do not.
    rng
        Chooses the damage.
    """
    kind, damage = rng.choice(_DAMAGES)
    made = damage(data, parts_of(data, name), rng)
    # Checksums would hide most damage from the code behind them.
    if rng.random() < 0.6:
        if data.startswith(b"\x89PNG"):
            return f"{kind}, checksums right", _sealed_png(made)
        if name.endswith(".onnx"):
            return f"{kind}, checksums right", _sealed_model(made)
    return kind, made


def _flip(data: bytes, places: list[int], rng: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        damaged[rng.choice(places)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _flip_anywhere(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    return _flip(data, [*range(len(data))], rng)


def _headers(data: bytes, parts: list[Part]) -> list[int]:
    """Return the places that say what the file and its parts are."""
    places = set(range(min(_HEADER, len(data))))
    for part in parts:
        places.update(range(part.begin, min(part.end, part.begin + _HEADER, len(data))))
    return sorted(places)


def _flip_headers(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    return _flip(data, _headers(data, parts), rng)


def _cut(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    ends = [len(data) - rng.randrange(1, 9), rng.choice(parts).begin, rng.randrange(len(data))]
    return data[: max(0, rng.choice(ends))]


def _set_number(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    """Put a number that is extreme in its kind where a header may have one."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2))):
        width = rng.choice((1, 2, 4))
        value = rng.choice(_EDGES) & ((1 << 8 * width) - 1)
        at = rng.choice(_headers(data, parts))
        damaged[at : at + width] = value.to_bytes(width, rng.choice(("big", "little")))
    return bytes(damaged)


def _set_length(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    """Let a part say that it has another length than it has."""
    told = [part for part in parts if part.length_bytes]
    if not told:
        return _set_number(data, parts, rng)
    part = rng.choice(told)
    size = part.end - part.begin
    value = rng.choice(
        (0, 1, max(0, size - 9), size + 1, 2 * size, rng.randrange(1 << 31), *_EDGES)
    )
    if part.order == "varint":
        written = bytearray()
        while value > 0x7F:
            written.append(value & 0x7F | 0x80)
            value >>= 7
        written.append(value)
    else:
        masked = value & ((1 << 8 * part.length_bytes) - 1)
        written = bytearray(
            masked.to_bytes(part.length_bytes, "big" if part.order == "big" else "little")
        )
    return data[: part.length_at] + written + data[part.length_at + part.length_bytes :]


def _swap(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    first = rng.choice(parts)
    others = [
        part for part in parts if part.depth == first.depth and part.begin >= first.end
    ] or parts[-1:]
    # The next one half of the time: what depends on order is mostly close together.
    second = others[0] if rng.random() < 0.5 else rng.choice(others)
    if second.begin < first.end:
        return _double(data, parts, rng)
    between = data[first.end : second.begin]
    return (
        data[: first.begin]
        + data[second.begin : second.end]
        + between
        + data[first.begin : first.end]
        + data[second.end :]
    )


def _double(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    part = rng.choice(parts)
    piece = data[part.begin : part.end] * rng.choice((1, 1, 1, 9))
    at = part.end if rng.random() < 0.6 else rng.choice(parts).begin
    return data[:at] + piece + data[at:]


def _remove(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    part = rng.choice(parts)
    return data[: part.begin] + data[part.end :]


def _overwrite(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    begin = rng.randrange(len(data))
    size = min(len(data) - begin, rng.choice((8, 64, 512, 4096)))
    filling = rng.randbytes(size) if rng.random() < 0.6 else bytes([rng.choice((0, 255))]) * size
    return data[:begin] + filling + data[begin + size :]


def _join(data: bytes, parts: list[Part], rng: random.Random) -> bytes:
    """Append what does not belong to the file: itself, a part of it, or rubbish."""
    more = (data, data[: rng.randrange(len(data))], rng.randbytes(rng.randrange(1, 5000)))
    return data + rng.choice(more)


_DAMAGES: list[tuple[str, Damage]] = [
    ("bits flipped", _flip_anywhere),
    ("bits of headers flipped", _flip_headers),
    ("bits of headers flipped", _flip_headers),
    ("cut", _cut),
    ("number in a header changed", _set_number),
    ("number in a header changed", _set_number),
    ("length changed", _set_length),
    ("length changed", _set_length),
    ("parts swapped", _swap),
    ("part doubled", _double),
    ("part removed", _remove),
    ("overwritten", _overwrite),
    ("more at the end", _join),
]


def _sealed_png(data: bytes) -> bytes:
    sealed = bytearray(data)
    for part in parts_of(data, ".png"):
        if part.length_bytes and part.end <= len(data):
            checksum = zlib.crc32(sealed[part.begin + 4 : part.end - 4])
            sealed[part.end - 4 : part.end] = checksum.to_bytes(4, "big")
    return bytes(sealed)


def _sealed_model(data: bytes) -> bytes:
    try:
        model = onnx.load_model_from_string(data)
        manifest = read_manifest(model)
        if manifest is None:
            return data
        write_manifest(model, dataclasses.replace(manifest, sha256=weights_sha256(model)))
        return bytes(model.SerializeToString())
    except Exception:  # what cannot be read has no checksum to be made right
        return data
