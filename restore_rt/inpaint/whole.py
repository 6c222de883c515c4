"""A frame with its holes replaced, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.frames import ChannelOrder, bleed_colour
from restore_rt.inpaint.filling import hole_depth
from restore_rt.inpaint.masks import as_mask, grown

__all__ = ["Fill", "replace_holes"]

Fill = Callable[[NDArray[Any], NDArray[np.uint8]], NDArray[Any]]


def replace_holes(
    fill: Fill,
    frame: NDArray[Any],
    mask: NDArray[Any],
    *,
    soft_edge: int = 0,
    out: NDArray[Any] | None = None,
    order: ChannelOrder = "rgb",
) -> NDArray[Any]:
    """Replace the pixels of a frame that a mask marks; all others come back bit for bit.

    Parameters
    ----------
    fill
        Is given colours, (H, W) or (H, W, 3), and a mask of 0 and 255 that leaves some pixels; it
        returns them with the holes filled. Other pixels of what it returns are not used.
    frame
        (H, W) or (H, W, C) with C 1 to 4; alpha is kept.
    mask
        See ``as_mask``.
    soft_edge
        Pixels around the holes over which the result goes over to the frame.
    out
        A frame of the same shape and dtype to write to, which shares no memory with ``frame``.
    order
        Of the frame's colours; ``fill`` is given RGB.

    Raises
    ------
    InputError
        The mask does not fit, or leaves no pixel.
    """
    core = as_mask(mask, frame)
    holes = grown(core, soft_edge)
    if out is None:
        out = np.empty(frame.shape, frame.dtype)
    np.copyto(out, frame)
    if not core.any():
        return out
    if holes.all():
        around = f" with the soft edge of {soft_edge} pixels" if soft_edge else ""
        raise InputError(
            f"the mask{around} marks every pixel, so that there is nothing to fill them from; "
            "white marks what is to be replaced: leave a part of the frame black, or invert it"
        )
    has_alpha = frame.ndim == 3 and frame.shape[2] in (2, 4)
    colours = bleed_colour(frame) if has_alpha else frame
    target = out[..., :-1] if has_alpha else out
    if colours.ndim == 3 and colours.shape[2] == 1:
        colours, target = colours[..., 0], target[..., 0]
    if order == "bgr" and colours.ndim == 3:
        colours, target = colours[..., ::-1], target[..., ::-1]
    filled = fill(colours, holes)
    where = holes != 0
    if soft_edge:
        # What lies under the mask itself is not looked at: it may be anything.
        edge = where & (core == 0)
        weights = hole_depth(holes)[edge] / np.float32(soft_edge + 1)
        _blend(target, filled, edge, weights)
        where = core != 0
    np.copyto(target, filled, where=where if target.ndim == 2 else where[..., None])
    return out


def _blend(
    target: NDArray[Any],
    filled: NDArray[Any],
    edge: NDArray[np.bool_],
    weights: NDArray[np.float32],
) -> None:
    before = target[edge].astype(np.float32)
    share = weights if target.ndim == 2 else weights[:, None]
    values = before + share * (filled[edge].astype(np.float32) - before)
    target[edge] = values if target.dtype == np.float32 else np.rint(values).astype(target.dtype)
