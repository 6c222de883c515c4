"""Holes: damage that is to be filled, drawn into a mask and painted over a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from restore_rt.training.degradations.shapes import SHAPES, draw_mask
from restore_rt.training.degradations.steps import Rgb, Step, register
from restore_rt.training.limits import one_of, span

__all__ = ["Holes"]

# Of the whitish ground that shows where paint has fallen off.
_DARKEST, _GRAIN = 215, 6.0


@register("holes")
@dataclass(frozen=True, kw_only=True)
class Holes(Step):
    """Whitish damage of these shapes that covers part of a picture; of a mask, see `mask`.

    `coverage` is the part of the picture that is covered, and `size` the shapes' diameter in
    pixels, or the width of strokes; scratches, hairs and creases have widths of their own. Of both,
    each doubling in the range is equally likely.
    """

    shapes: Annotated[tuple[str, ...], one_of(SHAPES)] = tuple(SHAPES)
    coverage: Annotated[tuple[float, float], span(0.001, 0.6)] = (0.01, 0.3)
    size: Annotated[tuple[float, float], span(1, 1000)] = (2.0, 100.0)

    def mask(self, rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
        """Draw a mask (height, width), True in holes."""
        low, high = (math.log(end) for end in self.coverage)
        return draw_mask(
            rng,
            height,
            width,
            shapes=self.shapes,
            coverage=math.exp(rng.uniform(low, high)),
            size=self.size,
        )

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Paint the holes."""
        del scale
        hole = self.mask(rng, *frame.shape[:2])
        shape = (np.count_nonzero(hole), *frame.shape[2:])
        ground = rng.uniform(_DARKEST, 255, shape[1:]) + rng.normal(0, _GRAIN, shape)
        painted = frame.copy()
        painted[hole] = np.clip(np.rint(ground), 0, 255).astype(np.uint8)
        return painted
