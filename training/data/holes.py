"""Inputs of networks that fill holes: the picture with a first fill, and the mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restore_rt.inpaint import fill
from restore_rt.training.degradations.holes import Holes
from restore_rt.training.recipes import Variant

__all__ = ["draw_hole", "with_hole"]


def draw_hole(
    variant: Variant, rng: np.random.Generator, height: int, width: int
) -> NDArray[np.bool_]:
    """Draw a mask (height, width), True in holes, for a variant whose one step is `Holes`."""
    (step,) = variant.steps
    assert isinstance(step, Holes)
    return step.mask(rng, height, width)


def with_hole(planes: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return planes (C, H, W) whose hole is filled by push-pull, and 255 times the hole below."""
    filled = fill(planes.transpose(1, 2, 0), hole).transpose(2, 0, 1)
    return np.concatenate((filled, hole[None] * np.uint8(255)))
