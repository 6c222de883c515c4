"""Camera moves over an oversized picture, with easing and area filtering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from clip.canvas import Canvas

__all__ = ["View", "ease", "shoot", "travel"]


@dataclass(frozen=True)
class View:
    """What the camera sees: centre and width in page units; the height follows from the frame."""

    x: float
    y: float
    width: float


def ease(share: float) -> float:
    """Return smootherstep of ``share``: still at 0 and 1, with no jolt."""
    t = min(max(share, 0.0), 1.0)
    return t * t * t * (t * (6 * t - 15) + 10)


def travel(stops: Sequence[tuple[float, View]], time: float) -> View:
    """Return the view at ``time``, eased between (time, view) stops; the zoom is geometric."""
    for (t0, a), (t1, b) in pairwise(stops):
        if time <= t1:
            share = ease((time - t0) / (t1 - t0))
            width = a.width * (b.width / a.width) ** share
            # Moving with the zoom, not with time, keeps the point that is approached in place.
            zoomed = abs(np.log(b.width / a.width)) > 0.05
            along = (width - a.width) / (b.width - a.width) if zoomed else share
            return View(a.x + (b.x - a.x) * along, a.y + (b.y - a.y) * along, width)
    return stops[-1][1]


def shoot(canvas: Canvas, view: View, size: tuple[int, int]) -> Image.Image:
    """Return the view as an image of ``size``; every output pixel weighs all that it covers."""
    height = view.width * size[1] / size[0]
    left = (view.x - view.width / 2 - canvas.left) * canvas.scale
    top = (view.y - height / 2 - canvas.top) * canvas.scale
    box = (
        max(0.0, left),
        max(0.0, top),
        min(float(canvas.image.width), left + view.width * canvas.scale),
        min(float(canvas.image.height), top + height * canvas.scale),
    )
    return canvas.image.resize(size, Image.Resampling.BICUBIC, box=box)
