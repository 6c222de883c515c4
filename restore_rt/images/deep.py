"""TIFF pages that Pillow would cut to 8 bits without a word, or cannot read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import MediaError
from restore_rt.images.profiles import sRGB
from restore_rt.images.samples import from_floats, from_lab, straight

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
_ICC = 34675
EXTRA_SAMPLES = 338

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK, _CIELAB, _ICCLAB = 0, 1, 2, 5, 8, 9
_PLAIN = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_PREMULTIPLIED, _ALPHA = 1, 2
# Pillow cannot read the big kind in the other byte order.
_BIG_TIFF_MARK = b"II+\0"
_TIFF_MARKS = (b"II*\0", b"MM\0*", _BIG_TIFF_MARK)
_PNG_BIT_DEPTH = 24


def has_deep_png_samples(data: bytes) -> bool:
    """Return whether a PNG has samples of more than 8 bits."""
    return data[_PNG_BIT_DEPTH : _PNG_BIT_DEPTH + 1] > b"\x08"


def has_deep_tiff_samples(tags: Tags) -> bool:
    """Return whether a page of a TIFF is for ``decode_tiff``; Pillow reads CMYK, in 8 bits."""
    kind, bits = tags.get(_PHOTOMETRIC), set(_bits(tags))
    if kind in (_CIELAB, _ICCLAB) or set(tags.get(_SAMPLE_FORMAT, ())) & {_SIGNED, _FLOAT}:
        return True
    if kind not in _PLAIN or bits != {8}:
        return max(bits) > 8 and kind != _CMYK
    # Of 8 bits, Pillow knows planes and channels beside alpha in few combinations.
    separate = len(_bits(tags)) > 1 and tags.get(_PLANAR, 1) == 2
    return separate or len(tags.get(EXTRA_SAMPLES, ())) > 1


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

    try:
        return imagecodecs.png_decode(data)
    except imagecodecs.PngError as error:
        # Its text lay in memory that was given back before it was read: it may be anything.
        raise ValueError("libpng cannot read it") from error


def decode_tiff(
    data: bytes, index: int, tags: Tags, path: Path
) -> tuple[NDArray[Any], tuple[str, ...], bytes]:
    """Decode a page of a TIFF file.

    Parameters
    ----------
    data
        The file.
    index
        The page's number among all directories.
    tags
        Its directory.
    path
        For messages.

    Returns
    -------
    pixels
        (H, W[, C]) uint16, or uint8 of 8 bits, C from 2 to 4; alpha is not premultiplied.
    notes
        What was changed, for the user.
    icc
        The ICC profile that now holds.

    Raises
    ------
    MediaError
        Its kind of samples is not supported.
    """
    import imagecodecs

    kind, bits = tags.get(_PHOTOMETRIC), set(_bits(tags))
    formats = set(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    icc: bytes = tags.get(_ICC, b"")
    whole = kind in _PLAIN and bits in ({8}, {16}) and formats == {_UNSIGNED}
    floats = kind in _PLAIN and formats == {_FLOAT} and bits <= {16, 32, 64}
    lab = kind in (_CIELAB, _ICCLAB) and bits <= {8, 16}
    if not (whole or floats or lab):
        raise MediaError(
            f"{path} has samples of {_bits(tags)} bits, format {formats}, photometric {kind}; "
            "allowed are grey, RGB and L*a*b* of 8-bit and 16-bit unsigned integers, grey and RGB "
            "of floats, and CMYK: convert it first"
        )
    try:
        pixels = imagecodecs.tiff_decode(data, index)
    except imagecodecs.TiffError as error:
        if "not implemented" in str(error):
            raise MediaError(f"{path} cannot be read: {error}; store it as PNG first") from error
        raise
    if pixels.ndim == 3 and tags.get(_PLANAR, 1) == 2:
        pixels = np.moveaxis(pixels, 0, 2)
    notes: tuple[str, ...] = ()
    if lab:
        samples = np.ascontiguousarray(pixels[..., :3])
        if pixels.shape[2] > 3:
            notes = ("channels beside L*a*b* were left out",)
        pixels, note = from_lab(samples, icc_encoding=kind == _ICCLAB)
        return pixels, (note, *notes), sRGB()
    if floats:
        try:
            pixels, notes = from_floats(pixels)
        except ValueError as error:
            raise MediaError(f"{path} cannot be restored: {error}") from error
    pixels, more = _arranged(pixels, kind or 0, tuple(tags.get(EXTRA_SAMPLES, ())))
    return pixels, notes + more, icc


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
        colour = np.iinfo(colour.dtype).max - colour
    notes: tuple[str, ...] = ()
    uses = enumerate(extra, colours)
    alpha = [index for index, use in uses if use in (_PREMULTIPLIED, _ALPHA)][:1]
    if samples.shape[2] > colours + len(alpha):
        notes = ("a channel that is neither colour nor alpha was left out",)
    if alpha:
        colour = np.concatenate([colour, samples[..., alpha]], axis=2)
        if extra[alpha[0] - colours] == _PREMULTIPLIED:
            colour = straight(colour)
    return (colour[..., 0] if colour.shape[2] == 1 else colour), notes
