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
    samples = frame.astype(np.float32) / _peak(frame)
    enlarged = np.empty((3, *out.shape[:2]), np.float32)
    for channel in range(3):
        _ext.upsample_plane_into(
            enlarged[channel], samples[..., channel], scale=scale, threads=threads
        )
    detail = (luma - _BLACK) / _SPAN
    detail -= np.tensordot(_WEIGHTS, enlarged, axes=1)
    enlarged += detail
    if out.dtype == np.float32:
        out[...] = np.moveaxis(enlarged, 0, 2)
        return
    peak = _peak(frame)
    enlarged *= peak
    np.rint(enlarged, out=enlarged)
    np.clip(enlarged, 0, peak, out=enlarged)
    out[...] = np.moveaxis(enlarged, 0, 2)


def mean_grey(frame: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of an (H, W, 3) frame's channels, (H, W), in its own dtype."""
    first, second, third = np.moveaxis(frame.astype(np.float32), 2, 0)
    # In this form three equal channels give their own value, bit for bit.
    mean = first + ((second - first) + (third - first)) / 3
    grey: NDArray[Any] = mean if frame.dtype == np.float32 else np.rint(mean).astype(frame.dtype)
    return grey


def _peak(frame: NDArray[Any]) -> np.float32:
    return np.float32(1 if frame.dtype == np.float32 else np.iinfo(frame.dtype).max)
