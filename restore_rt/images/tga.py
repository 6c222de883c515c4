"""TGA files: what their footer says of alpha, and their texts."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from restore_rt.images.by_pillow import check_size, described, exif_of, opened, samples_of
from restore_rt.images.picture import Picture
from restore_rt.images.png import latin_text
from restore_rt.images.samples import straight

__all__ = ["TGA_SUFFIXES", "is_tga", "read_tga"]

TGA_SUFFIXES = (".tga", ".icb", ".vda", ".vst")

_MARK = b"TRUEVISION-XFILE.\0"
_FOOTER = 26
_PREMULTIPLIED = 4
_ATTRIBUTES = 494
_TEXTS = (("Author", 2, 41), ("Comment", 43, 324), ("Software", 426, 41))


def is_tga(data: bytes, path: Path) -> bool:
    """Return whether a file is a TGA: by its footer, or its suffix where it has none."""
    return data.endswith(_MARK) or path.suffix.lower() in TGA_SUFFIXES


def read_tga(data: bytes, path: Path, max_pixels: int, others: str) -> Picture:
    """Return the picture of a TGA file; see ``opened`` for ``others``."""
    with opened(data, path, ("TGA",), others=others) as image:
        check_size(image.width, image.height, path, max_pixels)
        image.load()
        identity: bytes = image.info.get("id_section", b"")
        picture = described(exif_of(image), {})
        pixels, notes, _ = samples_of(image, path)
    extension = _extension(data)
    chunks = []
    name = identity.rstrip(b"\0").decode("latin-1")
    if name:
        chunks.append(latin_text("Title", name))
    for key, start, size in _TEXTS:
        text = extension[start : start + size].partition(b"\0")[0].decode("latin-1").strip()
        if text:
            chunks.append(latin_text(key, text))
    if len(extension) > _ATTRIBUTES:
        over, under = struct.unpack_from("<HH", extension, 478)
        if over and under and over != under:
            chunks.append((b"gAMA", struct.pack(">I", round(100000 * under / over))))
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        if extension[_ATTRIBUTES : _ATTRIBUTES + 1] == bytes((_PREMULTIPLIED,)):
            pixels = straight(pixels)
        elif not pixels[..., -1].any():
            opaque = np.full_like(pixels[..., -1:], 255)
            pixels = np.concatenate([pixels[..., :-1], opaque], axis=2)
            notes += ("its alpha is 0 everywhere and was taken as opaque, as viewers do",)
    return replace(picture, pixels=pixels, chunks=tuple(chunks), notes=notes)


def _extension(data: bytes) -> bytes:
    """Return the extension area of a TGA of version 2, or nothing."""
    if not data.endswith(_MARK) or len(data) < _FOOTER:
        return b""
    (place,) = struct.unpack_from("<I", data, len(data) - _FOOTER)
    return data[place : place + _ATTRIBUTES + 1] if place else b""
