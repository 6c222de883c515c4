"""Numbered pictures as a video file for the reader, and as what a clip becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import MediaError
from restore_rt.images import MAX_PIXELS, Picture, read_picture
from restore_rt.video.sequences import gaps, numbered_files
from restore_rt.video.streamed import Shown, StreamedPictures

__all__ = ["NumberedPictures", "open_numbered"]


@dataclass
class NumberedPictures:
    """Numbered pictures as a video.

    Attributes
    ----------
    video
        What to read.
    icc
        ICC profile of the first picture, or empty.
    notes
        What the user should know, of which more is found while they are read.
    """

    video: StreamedPictures
    icc: bytes
    notes: list[str] = field(default_factory=list)


def open_numbered(path: Path, rate: Fraction) -> NumberedPictures:
    """Return the pictures that fit a pattern as a video of the first one's size and kind.

    Raises
    ------
    MediaError
        There are none, or the first one cannot be read.
    """
    files = numbered_files(path)
    notes = [note for note in (gaps(files),) if note]
    first = _read(next(iter(files.values())))
    video = StreamedPictures(
        _shown(files, first, notes), time_base=1 / rate, total=len(files), exact=True
    )
    return NumberedPictures(video, first.icc, notes)


def _read(path: Path) -> Picture:
    return read_picture(path, max_pixels=MAX_PIXELS)


def _shown(files: Mapping[int, Path], first: Picture, notes: list[str]) -> Iterator[Shown]:
    size = first.pixels.shape[:2]
    lost: dict[str, int] = {}
    try:
        for index, path in enumerate(files.values()):
            picture = first if index == 0 else _read(path)
            if picture.pixels.shape[:2] != size:
                height, width = picture.pixels.shape[:2]
                raise MediaError(
                    f"{path} has {width}x{height} pixels and the first picture {size[1]}x"
                    f"{size[0]}, and a clip has one size: make them alike, or write pictures, "
                    "which may differ"
                )
            yield Shown(_like(picture, first, lost), index, 1)
    finally:
        notes.extend(f"{count} pictures lose {what}" for what, count in lost.items())


def _like(picture: Picture, first: Picture, lost: dict[str, int]) -> NDArray[Any]:
    """Return a picture as RGB, with alpha and of 16 bits if the first picture is."""
    pixels = picture.pixels
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    top = int(np.iinfo(pixels.dtype).max)
    colour = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., [0, 0, 0]]
    if first.alpha:
        shape = (*colour.shape[:2], 1)
        alpha = pixels[..., -1:] if picture.alpha else np.full(shape, top, pixels.dtype)
        colour = np.concatenate([colour, alpha], axis=2)
    elif picture.alpha and (pixels[..., -1] != top).any():
        _count(lost, "their transparency, which the first picture has not")
    if picture.bits < first.bits:
        return colour.astype(np.uint16) * 257
    if picture.bits > first.bits:
        _count(lost, "precision: the first picture has 8 bits")
        return ((colour.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return colour


def _count(lost: dict[str, int], what: str) -> None:
    lost[what] = lost.get(what, 0) + 1
