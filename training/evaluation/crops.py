"""Crops of the places where candidates differ most."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CROP", "Crops", "cut", "cut_clip", "most_different"]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

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
    sides = _sides(original, scale)
    compared = _compared(frame, restored.values(), original, scale)
    place = most_different(compared, sides, step=scale)
    return _cut_at(place, sides, frame, restored, original, scale)


def cut_clip(
    frames: Sequence[U8],
    restored: Mapping[str, Sequence[U8]],
    originals: Sequence[U8],
    *,
    scale: int,
) -> list[Crops]:
    """Cut one place out of all frames of a clip: where things move and candidates differ most.

    What counts is the difference over all frames, times 1 plus the mean absolute change of the
    original from one to the next; hence the difference alone decides in a clip that stands still.
    The rest is as in `cut`.
    """
    sides = _sides(originals[0], scale)
    names = list(restored)
    pictures = [
        dict(zip(names, each, strict=True)) for each in zip(*restored.values(), strict=True)
    ] or [{} for _ in frames]
    together = list(zip(frames, pictures, originals, strict=True))
    difference, movement = (np.zeros(originals[0].shape[:2]) for _ in range(2))
    for frame, by_name, original in together:
        difference += _spread(_compared(frame, by_name.values(), original, scale))
    for pair in itertools.pairwise(originals):
        # The spread of two is half their distance.
        movement += 2 * _spread(pair)
    weights = difference * (1 + movement / max(len(originals) - 1, 1))
    place = _heaviest(weights, sides, step=scale)
    return [_cut_at(place, sides, *each, scale) for each in together]


def _sides(original: U8, scale: int) -> tuple[int, int]:
    height, width = (max(scale, min(CROP, s) // scale * scale) for s in original.shape[:2])
    return height, width


def _compared(frame: U8, restored: Iterable[U8], original: U8, scale: int) -> list[U8]:
    return [*restored, *([frame] if scale == 1 else [])] or [original]


def _cut_at(
    place: tuple[int, int],
    sides: tuple[int, int],
    frame: U8,
    restored: Mapping[str, U8],
    original: U8,
    scale: int,
) -> Crops:
    def window(picture: U8, by: int) -> U8:
        rows, columns = (
            slice(start // by, (start + side) // by)
            for start, side in zip(place, sides, strict=True)
        )
        return np.ascontiguousarray(picture[rows, columns])

    cuts = {name: window(picture, 1) for name, picture in restored.items()}
    return Crops(*place, window(frame, scale), cuts, window(original, 1))


def most_different(
    pictures: Sequence[U8], sides: tuple[int, int], *, step: int = 1
) -> tuple[int, int]:
    """Return top and left of the window in which pictures of one size vary most, on average.

    They are (H, W, 3) or grey (H, W); `sides`, height and width of the window, fit into them. Top
    and left are multiples of `step`.
    """
    return _heaviest(_spread(pictures), sides, step=step)


def _spread(pictures: Sequence[U8]) -> F32:
    """Return the standard deviation (H, W) of pictures of one size, the mean over channels."""
    spread: F32 = np.stack([picture.astype(np.float32) for picture in pictures]).std(axis=0)
    return spread.mean(2) if spread.ndim == 3 else spread


def _heaviest(
    weights: NDArray[np.floating[Any]], sides: tuple[int, int], *, step: int
) -> tuple[int, int]:
    height, width = sides
    # Sums over all windows from a table of sums over all corners.
    table = np.pad(weights.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = (
        table[height:, width:]
        - table[:-height, width:]
        - table[height:, :-width]
        + table[:-height, :-width]
    )[::step, ::step]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top) * step, int(left) * step
