"""Crops of the places where candidates differ most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CROP", "Crops", "cut", "most_different"]

U8 = NDArray[np.uint8]

# Sides of a crop in output pixels.
CROP = 96


@dataclass(frozen=True)
class Crops:
    """Crops of one place, (h, w, 3) or grey (h, w), by candidate.

    `top` and `left` are in output pixels. The input's crop is `scale` times smaller.
    """

    top: int
    left: int
    input: U8
    restored: dict[str, U8]
    original: U8


def cut(frame: U8, restored: Mapping[str, U8], original: U8, *, scale: int) -> Crops:
    """Cut out where the `restored` pictures differ most from each other, and at scale 1 the input.

    If there is none, the first place is as good as any. `frame` (h, w, 3) or (h, w) is the input,
    the others, by name, and the `original` are `scale` times as large.
    """
    sides = [max(scale, min(CROP, side) // scale * scale) for side in original.shape[:2]]
    compared = [*restored.values(), *([frame] if scale == 1 else [])] or [original]
    top, left = most_different(compared, (sides[0], sides[1]), step=scale)

    def window(picture: U8, by: int) -> U8:
        rows, columns = (
            slice(start // by, (start + side) // by)
            for start, side in zip((top, left), sides, strict=True)
        )
        return np.ascontiguousarray(picture[rows, columns])

    cuts = {name: window(picture, 1) for name, picture in restored.items()}
    return Crops(top, left, window(frame, scale), cuts, window(original, 1))


def most_different(
    pictures: Sequence[U8], sides: tuple[int, int], *, step: int = 1
) -> tuple[int, int]:
    """Return top and left of the window in which pictures of one size vary most, on average.

    They are (H, W, 3) or grey (H, W); `sides`, height and width of the window, fit into them. Top
    and left are multiples of `step`.
    """
    spread = np.stack([picture.astype(np.float32) for picture in pictures]).std(axis=0)
    if spread.ndim == 3:
        spread = spread.mean(2)
    height, width = sides
    # Sums over all windows from a table of sums over all corners.
    table = np.pad(spread.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = (
        table[height:, width:]
        - table[:-height, width:]
        - table[height:, :-width]
        + table[:-height, :-width]
    )[::step, ::step]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top) * step, int(left) * step
