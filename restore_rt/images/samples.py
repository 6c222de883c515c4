"""Samples of other kinds, as the unsigned integers of 8 or 16 bits of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_bits", "from_floats", "from_lab", "straight", "turned"]

_ROWS = 256
# Of L*a*b* with the white of ICC profiles (D50): to XYZ, and from there to linear sRGB (D65,
# adapted by Bradford's method).
_D50 = np.array([0.9642, 1.0, 0.8249])
_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return a picture as EXIF's orientation says that it should be seen."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def from_bits(pixels: NDArray[np.uint16], bits: int) -> NDArray[Any]:
    """Return samples of up to 16 bits in full range, of 8 bits if they fit there."""
    peak = (1 << bits) - 1
    if bits == 16:
        return pixels
    largest, kind = (255, np.uint8) if bits <= 8 else (65535, np.uint16)
    scaled: NDArray[Any] = np.rint(pixels * np.float32(largest / peak)).astype(kind)
    return scaled


def straight(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels whose colours, which were multiplied by their alpha, are divided by it."""
    peak = np.iinfo(pixels.dtype).max
    alpha = pixels[..., -1:]
    colour = pixels[..., :-1] * (float(peak) / np.maximum(alpha, 1))
    colour = np.rint(np.minimum(colour, peak)).astype(pixels.dtype)
    return np.concatenate([colour, alpha], axis=2)


def from_floats(pixels: NDArray[Any]) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    """Return float samples, of which 0 is black and 1 white, in 16 bits, and notes.

    Raises
    ------
    ValueError
        Most of them are above 1, which is not white then.
    """
    finite = np.isfinite(pixels)
    values = np.where(finite, pixels, 0)
    largest, smallest = float(values.max()), float(values.min())
    above = float((values > 1).mean())
    if above > 0.5:
        raise ValueError(
            f"its float samples go up to {largest:g}, and most are above 1, which is white here; "
            "divide them by their white first"
        )
    notes = ["float samples became integers of 16 bits"]
    if above:
        notes.append(f"samples above 1, up to {largest:g}, were cut to white ({above:.2%} of them)")
    if smallest < 0:
        notes.append(f"samples below 0, down to {smallest:g}, were cut to black")
    if not finite.all():
        notes.append("samples that are no numbers or infinite became black")
    wide = np.clip(values, 0, 1).astype(np.promote_types(pixels.dtype, np.float32))
    whole = np.rint(wide * 65535.0)
    return whole.astype(np.uint16), ("; ".join(notes),)


def from_lab(pixels: NDArray[Any], *, icc_encoding: bool) -> tuple[NDArray[Any], str]:
    """Return L*a*b* samples as sRGB of as many bits, and a note.

    Parameters
    ----------
    pixels
        (H, W, 3) uint8 or uint16, as a TIFF file holds them.
    icc_encoding
        a* and b* have an offset, as in ICC profiles; else they are signed.
    """
    bits = pixels.dtype.itemsize * 8
    result = np.empty_like(pixels)
    beyond = 0
    for top in range(0, len(pixels), _ROWS):
        lab = _lab(pixels[top : top + _ROWS], bits, icc_encoding)
        linear = _xyz(lab) @ _TO_SRGB.T
        beyond += int(((linear < -1e-3) | (linear > 1.001)).any(axis=2).sum())
        linear = np.clip(linear, 0, 1)
        curved = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
        result[top : top + _ROWS] = np.rint(curved * ((1 << bits) - 1))
    note = "L*a*b* was converted to sRGB"
    if beyond:
        share = beyond / (pixels.shape[0] * pixels.shape[1])
        note += f"; {share:.2%} of the pixels had colours beyond it"
    return result, note


def _lab(pixels: NDArray[Any], bits: int, icc_encoding: bool) -> NDArray[np.float64]:
    """Return L* from 0 to 100, and a* and b*."""
    values = pixels.astype(np.float64)
    step = 1 << (bits - 8)
    if icc_encoding:
        lightness = values[..., :1] * (100 / (255 * step))
        return np.concatenate([lightness, values[..., 1:] / step - 128], axis=2)
    signed = pixels[..., 1:].view(f"int{bits}") if pixels.flags.c_contiguous else None
    if signed is None:
        signed = np.ascontiguousarray(pixels[..., 1:]).view(f"int{bits}")
    lightness = values[..., :1] * (100 / ((1 << bits) - 1))
    return np.concatenate([lightness, signed / step], axis=2)


def _xyz(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = (lab[..., 0] + 16) / 116
    roots = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], axis=2)
    shares = np.where(roots > 6 / 29, roots**3, (roots - 4 / 29) * (108 / 841))
    xyz: NDArray[np.float64] = shares * _D50
    return xyz
