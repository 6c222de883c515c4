"""Samples of 16 bits in PNG and TIFF, which Pillow would cut to 8 without a word."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import MediaError

__all__ = [
    "EXTRA_SAMPLES",
    "decode_png",
    "decode_tiff",
    "has_deep_png_samples",
    "has_deep_tiff_samples",
    "is_big_tiff",
    "tiff_directories",
]

Tags = Mapping[int, Any]

_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_PLANAR = 284
_SAMPLE_FORMAT = 339
EXTRA_SAMPLES = 338

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_PREMULTIPLIED, _ALPHA = 1, 2
# Pillow cannot read the big kind in the other byte order.
_BIG_TIFF_MARK = b"II+\0"
_TIFF_MARKS = (b"II*\0", b"MM\0*", _BIG_TIFF_MARK)
_PNG_MARK, _PNG_BIT_DEPTH = b"\x89PNG", 24


def has_deep_png_samples(data: bytes) -> bool:
    """Return whether a file is a PNG with samples of more than 8 bits."""
    return data.startswith(_PNG_MARK) and data[_PNG_BIT_DEPTH : _PNG_BIT_DEPTH + 1] > b"\x08"


def has_deep_tiff_samples(tags: Tags) -> bool:
    """Return whether a TIFF directory is that of samples of more than 8 bits."""
    return max(_bits(tags)) > 8


def is_big_tiff(data: bytes) -> bool:
    """Return whether a file is a TIFF of the kind that may be larger than 4 GiB."""
    return data.startswith(_BIG_TIFF_MARK)


def tiff_directories(data: bytes) -> list[Tags]:
    """Return the tags of each page of a TIFF file; none when it is not one."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    if not data.startswith(_TIFF_MARKS):
        return []
    header = data[: 16 if is_big_tiff(data) else 8]
    file = io.BytesIO(data)
    directories: dict[int, Tags] = {}
    offset = ImageFileDirectory_v2(header).next
    while offset and offset not in directories:
        file.seek(offset)
        directory = ImageFileDirectory_v2(header)
        directory.load(file)
        directories[offset] = directory
        offset = directory.next
    return list(directories.values())


def decode_png(data: bytes) -> NDArray[Any]:
    """Return the (H, W[, C]) uint16 samples of a PNG file; a transparent colour becomes alpha."""
    import imagecodecs

    return imagecodecs.png_decode(data)


def decode_tiff(data: bytes, tags: Tags, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Decode the first page of a TIFF file.

    Parameters
    ----------
    data
        The file.
    tags
        The page's directory.
    path
        For messages.

    Returns
    -------
    pixels
        (H, W[, C]) uint16, C from 2 to 4; alpha is not premultiplied.
    notes
        What was changed, for the user.

    Raises
    ------
    MediaError
        Its kind of samples is not supported.
    """
    import imagecodecs

    kind = tags.get(_PHOTOMETRIC)
    sample_format = set(tags.get(_SAMPLE_FORMAT, (1,)))
    if (
        set(_bits(tags)) != {16}
        or sample_format != {1}
        or kind not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
    ):
        raise MediaError(
            f"{path} has samples of {_bits(tags)} bits, format {sample_format}, photometric "
            f"{kind}; allowed above 8 bits are grey and RGB of 16-bit unsigned integers: convert "
            "it first"
        )
    pixels = imagecodecs.tiff_decode(data)
    if pixels.ndim == 3 and tags.get(_PLANAR, 1) == 2:
        pixels = np.moveaxis(pixels, 0, 2)
    return _arranged(pixels, kind, tuple(tags.get(EXTRA_SAMPLES, ())))


def _bits(tags: Tags) -> tuple[int, ...]:
    return tuple(tags.get(_BITS_PER_SAMPLE, (1,)))


def _arranged(
    pixels: NDArray[Any], kind: int, extra: tuple[int, ...]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return colour and, if there is one, alpha."""
    colours = 3 if kind == _RGB else 1
    samples = pixels.reshape(*pixels.shape[:2], -1)
    colour = samples[..., :colours]
    if kind == _WHITE_IS_ZERO:
        colour = 65535 - colour
    notes: tuple[str, ...] = ()
    uses = enumerate(extra, colours)
    alpha = [index for index, use in uses if use in (_PREMULTIPLIED, _ALPHA)][:1]
    if samples.shape[2] > colours + len(alpha):
        notes = ("a channel that is neither colour nor alpha was left out",)
    if alpha:
        opacity = samples[..., alpha]
        if extra[alpha[0] - colours] == _PREMULTIPLIED:
            straight = colour * (65535.0 / np.maximum(opacity, 1))
            colour = np.rint(np.minimum(straight, 65535)).astype(np.uint16)
        colour = np.concatenate([colour, opacity], axis=2)
    return (colour[..., 0] if colour.shape[2] == 1 else colour), notes
