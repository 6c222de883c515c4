"""What holes are filled with before a network sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.inpaint.masks import as_mask

__all__ = ["DEEP", "RADIUS", "blend_half", "fill", "halve", "hole_depth"]

# Frames whose holes are deeper than this are restored at half size first; see ``blend_half`` for
# where the result goes. Networks are trained with these.
DEEP = 8
RADIUS = 2


def fill(frame: NDArray[Any], mask: NDArray[Any], *, threads: int = 1) -> NDArray[Any]:
    """Return a copy of a frame whose holes are filled smoothly from what surrounds them.

    Push-pull over a pyramid by halves, each level of which is relaxed towards the harmonic
    surface; in linear time, with the same result on every CPU.

    Parameters
    ----------
    frame
        (H, W) or (H, W, C) with C 1, 3 or 4, uint8, uint16 or float32, any strides.
    mask
        What to replace, see ``as_mask``.
    threads
        At most so many threads, one for each channel.

    Raises
    ------
    InputError
        The frame or the mask is not allowed, or the mask leaves no pixel.
    """
    holes = as_mask(mask, frame)
    filled = np.array(frame, order="C")
    _ext.fill_holes(filled, holes, threads=threads)
    return filled


def hole_depth(mask: NDArray[Any]) -> NDArray[np.uint8]:
    """Return how far each pixel of a hole is from the nearest that is known; 0 outside of holes.

    Distances are counted along rows, columns and diagonals; 255 stands for all that are larger.
    """
    depth = np.empty(mask.shape, np.uint8)
    _ext.hole_depth_into(depth, as_mask(mask))
    return depth


def halve(frame: NDArray[Any], mask: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return half of a frame and of its mask, sides rounded up.

    Each pixel is the mean of the known ones among its four. It is a hole, and 0, where there is
    none.
    """
    holes = as_mask(mask, frame)
    height, width = (-(-side // 2) for side in mask.shape)
    half = np.empty((height, width, *frame.shape[2:]), frame.dtype)
    half_mask = np.empty((height, width), np.uint8)
    _ext.halve_into(half, half_mask, frame, holes)
    return half, half_mask


def blend_half(
    filled: NDArray[Any], half: NDArray[Any], depth: NDArray[np.uint8], *, radius: int = RADIUS
) -> None:
    """Go over to what was made of the halved frame deep in holes, in place.

    Parameters
    ----------
    filled
        A frame with its holes filled; written where ``depth`` is above ``radius``, and wholly
        replaced from twice that.
    half
        As from ``halve``, with its holes filled; it is enlarged bilinearly.
    depth
        As from ``hole_depth``.
    radius
        1 to 254.
    """
    _ext.blend_half(filled, half, depth, radius=radius)
