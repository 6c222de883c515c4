"""Masks: which pixels are to be replaced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.errors import InputError

__all__ = ["MOST_GROWTH", "THRESHOLD", "as_mask", "grown", "rectangles"]

# Grey values above it are to be replaced.
THRESHOLD = 127
# As far as distances are counted.
MOST_GROWTH = 254

# x, y, width and height.
Rectangle = tuple[int, int, int, int]


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


def grown(mask: NDArray[Any], pixels: int) -> NDArray[np.uint8]:
    """Return a mask that reaches further by a number of pixels on all sides, diagonals included.

    Raises
    ------
    InputError
        ``pixels`` is not from 0 to 254, or the mask is none.
    """
    if isinstance(pixels, bool) or not isinstance(pixels, int) or not 0 <= pixels <= MOST_GROWTH:
        raise InputError(
            f"a mask is to grow by {pixels!r} pixels; allowed are whole numbers from 0 to "
            f"{MOST_GROWTH}"
        )
    holes = as_mask(mask)
    if pixels == 0:
        return holes
    distance = np.empty(holes.shape, np.uint8)
    _ext.hole_depth_into(distance, np.bitwise_not(holes))
    return (distance <= pixels).view(np.uint8) * np.uint8(255)


def rectangles(shape: tuple[int, ...], rects: Iterable[Rectangle]) -> NDArray[np.uint8]:
    """Return a mask of rectangles for a frame.

    Parameters
    ----------
    shape
        The frame's; its first two are height and width.
    rects
        Each (x, y, width, height) in pixels from the top left.

    Raises
    ------
    InputError
        A rectangle is empty or reaches beyond the frame.
    """
    height, width = shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for x, y, wide, high in rects:
        if min(x, y) < 0 or min(wide, high) < 1 or x + wide > width or y + high > height:
            raise InputError(
                f"the rectangle {x},{y},{wide},{high} (x, y, width, height) does not lie in the "
                f"frame, which is {width}x{height}"
            )
        mask[y : y + high, x : x + wide] = 255
    return mask
