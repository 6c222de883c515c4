"""A still becomes a clip: a camera that drifts over it."""

from __future__ import annotations

import numpy as np

from restore_rt.errors import InputError
from restore_rt.training.degradations.steps import Clip, Rgb

__all__ = ["REACH", "drifting", "wandering_crops", "whole"]

# How far the camera drifts over a still that becomes a clip.
REACH = 16


def drifting(still: Rgb, frames: int, rng: np.random.Generator, *, reach: int = REACH) -> Clip:
    """Make a clip of a still (H, W, 3) or (H, W), as `wandering_crops` plans it."""
    origins, (height, width) = wandering_crops(
        *still.shape[:2], frames=frames, reach=reach, rng=rng
    )
    return [still[y : y + height, x : x + width] for y, x in origins]


def whole(frame: Rgb, multiple: int) -> Rgb:
    """Cut (H, W, 3) or (H, W) at its end, so that the sides are multiples."""
    height, width = (size - size % multiple for size in frame.shape[:2])
    return np.ascontiguousarray(frame[:height, :width])


def wandering_crops(
    height: int, width: int, *, frames: int, reach: int, rng: np.random.Generator
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Plan a camera that drifts over a still: where each frame begins, and the frames' size.

    The steps are whole pixels of the full-size picture, so that after the reduction the motion
    is a fraction of a pixel, as in real video, and the encoder has residues to code.

    Parameters
    ----------
    height, width
        Size of the still.
    frames
        How many frames.
    reach
        The camera stays within this many pixels, along both axes.
    rng
        Where the direction comes from.

    Returns
    -------
    tuple
        The origins [(y, x), ...], all within 0..reach, and the frames' size, which is
        (height - reach, width - reach).
    """
    if reach >= min(height, width):
        raise InputError(f"reach {reach} leaves nothing of a {height}x{width} picture")
    place = rng.integers(0, reach + 1, 2)
    speed = rng.integers(-3, 4, 2)
    origins = []
    for _ in range(frames):
        origins.append((int(place[0]), int(place[1])))
        place = place + speed
        # Bounce: a drift that leaves the reach turns back.
        speed = np.where((place < 0) | (place > reach), -speed, speed)
        place = np.clip(place, 0, reach)
    return origins, (height - reach, width - reach)
