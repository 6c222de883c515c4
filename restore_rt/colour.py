"""Luma models on RGB pictures, RGB models on grey ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext

__all__ = ["add_luma_detail", "luma_of", "mean_grey"]

# ITU-R BT.601 luma of R'G'B'. Luma models are trained on limited range, 16 to 235 of 255.
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
_BLACK = np.float32(16 / 255)
_SPAN = np.float32(219 / 255)

# Input rows that are worked on at once, lest large pictures need many times their size; and the
# rows beyond them that bicubic interpolation reaches.
_BAND = 128
_REACH = 2


def luma_of(frame: NDArray[Any]) -> NDArray[np.float32]:
    """Return the limited-range BT.601 luma, 16/255 to 235/255, of an (H, W, 3) RGB frame."""
    luma: NDArray[np.float32] = frame.astype(np.float32) @ (_WEIGHTS * (_SPAN / _peak(frame)))
    luma += _BLACK
    return luma


def add_luma_detail(
    out: NDArray[Any],
    frame: NDArray[Any],
    luma: NDArray[np.float32],
    *,
    scale: int,
    threads: int,
) -> None:
    """Write the enlarged ``frame`` with its luma replaced.

    Luma enters R', G' and B' with the same weight, 1, so that giving an enlarged RGB picture the
    luma ``luma`` means adding the same difference to all three channels: chroma stays bicubic.

    Parameters
    ----------
    out
        (s*H, s*W, 3), the dtype of ``frame``; written.
    frame
        (H, W, 3) RGB.
    luma
        (s*H, s*W), limited range, as ``luma_of`` gives it.
    scale
        s.
    threads
        CPU threads for the enlargement.
    """
    height = frame.shape[0]
    for first in range(0, height, _BAND):
        last = min(first + _BAND, height)
        above, below = max(0, first - _REACH), min(height, last + _REACH)
        rows = slice((first - above) * scale, (last - above) * scale)
        enlarged = _enlarged(frame[above:below], scale, threads)[:, rows]
        target = slice(first * scale, last * scale)
        detail = (luma[target] - _BLACK) / _SPAN
        detail -= np.tensordot(_WEIGHTS, enlarged, axes=1)
        enlarged += detail
        out[target] = np.moveaxis(_samples(enlarged, out.dtype), 0, 2)


def _enlarged(frame: NDArray[Any], scale: int, threads: int) -> NDArray[np.float32]:
    """Return a frame's channels, (3, s*H, s*W), enlarged by bicubic interpolation."""
    height, width = frame.shape[:2]
    samples = frame.astype(np.float32) / _peak(frame)
    enlarged = np.empty((3, height * scale, width * scale), np.float32)
    for channel in range(3):
        _ext.upsample_plane_into(
            enlarged[channel], samples[..., channel], scale=scale, threads=threads
        )
    return enlarged


def _samples(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """Scale, round and clamp in place for an integer dtype; leave floats as they are."""
    if dtype != np.float32:
        peak = np.float32(np.iinfo(dtype).max)
        values *= peak
        np.rint(values, out=values)
        np.clip(values, 0, peak, out=values)
    return values


def mean_grey(frame: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of an (H, W, 3) frame's channels, (H, W), in its own dtype."""
    first, second, third = np.moveaxis(frame.astype(np.float32), 2, 0)
    # In this form three equal channels give their own value, bit for bit.
    mean = first + ((second - first) + (third - first)) / 3
    grey: NDArray[Any] = mean if frame.dtype == np.float32 else np.rint(mean).astype(frame.dtype)
    return grey


def _peak(frame: NDArray[Any]) -> np.float32:
    return np.float32(1 if frame.dtype == np.float32 else np.iinfo(frame.dtype).max)
