"""Masks: what is to be replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError

__all__ = ["THRESHOLD", "as_mask"]

# Grey values above it are to be replaced.
THRESHOLD = 127


def as_mask(mask: NDArray[Any], frame: NDArray[Any] | None = None) -> NDArray[np.uint8]:
    """Return a mask of 0 (keep) and 255 (replace).

    Parameters
    ----------
    mask
        (H, W), bool, or uint8 where values above 127 are to be replaced.
    frame
        The frame that it is for: (H, W) or (H, W, C).

    Raises
    ------
    InputError
        It is no mask, or not of the frame's size.
    """
    if not isinstance(mask, np.ndarray):
        raise InputError(f"mask is {type(mask).__name__}; give a NumPy array")
    if mask.dtype not in (np.bool_, np.uint8):
        raise InputError(
            f"mask is {mask.dtype}; allowed are bool, and uint8 where values above {THRESHOLD} "
            "are replaced"
        )
    if mask.ndim != 2 or 0 in mask.shape:
        raise InputError(f"mask has shape {mask.shape}; it must be (H, W), neither of them 0")
    if frame is not None and mask.shape != frame.shape[:2]:
        height, width = frame.shape[:2]
        raise InputError(
            f"mask is {mask.shape[1]}x{mask.shape[0]} and the frame {width}x{height}; they must "
            "have the same size: draw the mask on the frame, or resize it"
        )
    marked = mask if mask.dtype == np.bool_ else mask > THRESHOLD
    return marked.view(np.uint8) * np.uint8(255)
