"""Shapes of damage, drawn into masks: scratches, hairs, creases, strokes, flakes, blobs, squares.

Each function draws one shape somewhere into a mask of height and width, as far as it fits. `size`
is about its diameter in pixels, or a stroke's width; thin shapes have widths of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["SHAPES", "draw_mask"]

Shape = Callable[["_Canvas", np.random.Generator, float], None]
# Shapes in one mask: so many small ones that more would not be seen as more.
MOST = 600


class _Canvas:
    """A mask under way; white is damage."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.image = Image.new("L", (width, height))
        self.draw = ImageDraw.Draw(self.image)

    def pixels(self) -> NDArray[np.bool_]:
        return np.asarray(self.image) > 0

    def place(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a place in it, x and y."""
        return rng.random(2) * (self.width, self.height)

    def line(self, points: NDArray[np.float64], width: int) -> None:
        """Draw a line with round corners and ends."""
        flat = points.ravel().tolist()
        self.draw.line(flat, fill=255, width=width, joint="curve" if width > 2 else None)
        if width > 2:
            radius = width / 2
            for x, y in points[[0, -1]]:
                self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)

    def outline(self, centre: NDArray[np.float64], radii: NDArray[np.float64]) -> None:
        """Fill the polygon whose corners have these distances from its centre."""
        if radii.max() < 1:
            self.draw.point(centre.tolist(), fill=255)
            return
        angles = np.arange(len(radii)) * (2 * math.pi / len(radii))
        corners = centre + radii[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1)
        self.draw.polygon(corners.ravel().tolist(), fill=255)


def draw_mask(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    shapes: tuple[str, ...],
    coverage: float,
    size: tuple[float, float],
) -> NDArray[np.bool_]:
    """Draw shapes until they cover at least this part of a mask (height, width); True is damage.

    Each shape is one of `shapes`, by its name in `SHAPES`, all equally often; its size in pixels is
    drawn from the range `size` so that each doubling is equally likely, but no shape is much larger
    than all that is to be covered. The last shape may cover more than what was lacking. Masks of
    very small shapes may cover less, and at least one pixel is left undamaged.
    """
    canvas = _Canvas(height, width)
    wanted = coverage * height * width
    largest = max(1.0, math.sqrt(2 * wanted))
    low, high = (math.log(min(end, largest)) for end in size)
    pixels = canvas.pixels()
    for _ in range(MOST):
        shape = SHAPES[shapes[int(rng.integers(len(shapes)))]]
        diameter = math.exp(rng.uniform(low, high))
        if shape is _centre:
            diameter = math.sqrt(wanted)
        shape(canvas, rng, diameter)
        pixels = canvas.pixels()
        if np.count_nonzero(pixels) >= wanted:
            break
    if pixels.all():
        pixels = pixels.copy()
        pixels[0, 0] = False
    return pixels


def _walk(
    start: NDArray[np.float64], angle: float, turns: NDArray[np.float64], step: float
) -> NDArray[np.float64]:
    """Return the points of a line that turns by `turns` after each step."""
    angles = angle + np.cumsum(turns)
    steps = step * np.stack((np.cos(angles), np.sin(angles)), 1)
    return np.concatenate((start[None], start + np.cumsum(steps, axis=0)))


def _scratch(canvas: _Canvas, rng: np.random.Generator, size: float) -> None:
    """Draw a long line, nearly straight, 1 to 5 pixels wide."""
    del size
    side = max(canvas.height, canvas.width)
    count = 8
    step = math.exp(rng.uniform(math.log(0.1), 0)) * side / count
    bend = rng.normal(0, 0.05) + rng.normal(0, 0.03, count)
    points = _walk(canvas.place(rng), rng.uniform(0, 2 * math.pi), bend, step)
    canvas.line(points, int(rng.integers(1, 6)))


def _hair(canvas: _Canvas, rng: np.random.Generator, size: float) -> None:
    """Draw a curled thread, 1 or 2 pixels wide."""
    del size
    count = int(rng.integers(8, 24))
    turns = rng.normal(0, 0.15) + rng.normal(0, 0.25, count)
    step = rng.uniform(2, 8)
    points = _walk(canvas.place(rng), rng.uniform(0, 2 * math.pi), turns, step)
    canvas.line(points, int(rng.integers(1, 3)))


def _crease(canvas: _Canvas, rng: np.random.Generator, size: float) -> None:
    """Draw a ragged fold across the whole picture, 1 to 7 pixels wide."""
    del size
    upright = rng.random() < 0.5
    length, across = (canvas.height, canvas.width)[:: 1 if upright else -1]
    count = max(4, length // 12)
    along = np.linspace(-1, length, count)
    place = rng.uniform(0, across) + rng.normal(0, 0.1) * along + rng.normal(0, 1.2, count)
    width = int(rng.integers(1, 6))
    points = np.stack((place, along) if upright else (along, place), 1)
    for start in range(count - 1):
        canvas.line(points[start : start + 2], max(1, width + int(rng.integers(-1, 3))))


def _stroke(canvas: _Canvas, rng: np.random.Generator, size: float) -> None:
    """Draw a stroke of a brush as wide as `size`, but at least 4 and at most 60 pixels."""
    count = int(rng.integers(2, 7))
    width = round(min(max(size, 4), 60))
    step = rng.uniform(1, 4) * width
    points = _walk(
        canvas.place(rng), rng.uniform(0, 2 * math.pi), rng.uniform(-1.2, 1.2, count), step
    )
    canvas.line(points, width)


def _flake(canvas: _Canvas, rng: np.random.Generator, size: float) -> None:
    """Draw a patch with ragged edges, where paint has fallen off."""
    corners = int(rng.integers(7, 20))
    radii = size / 2 * rng.uniform(0.45, 1.2, corners)
    stretch = rng.uniform(0.4, 1)
    turn = rng.uniform(0, 2 * math.pi)
    angles = np.arange(corners) * (2 * math.pi / corners)
    radii = radii / np.hypot(np.cos(angles - turn), np.sin(angles - turn) / stretch)
    canvas.outline(canvas.place(rng), radii)


def _blob(canvas: _Canvas, rng: np.random.Generator, size: float) -> None:
    """Draw a stain with a smooth outline."""
    angles = np.arange(32) * (2 * math.pi / 32)
    radii = np.ones(32)
    for wave in (1, 2, 3, 5):
        radii += rng.normal(0, 0.3 / wave) * np.cos(wave * angles + rng.uniform(0, 2 * math.pi))
    canvas.outline(canvas.place(rng), size / 2 * np.maximum(radii, 0.2))


def _rectangle(canvas: _Canvas, rng: np.random.Generator, size: float) -> None:
    """Draw a rectangle with upright edges."""
    stretch = math.exp(rng.uniform(-0.7, 0.7))
    width, height = (max(1, round(side)) for side in (size * stretch, size / stretch))
    x, y = np.floor(canvas.place(rng)).tolist()
    left, top = x - width // 2, y - height // 2
    canvas.draw.rectangle((left, top, left + width - 1, top + height - 1), fill=255)


def _centre(canvas: _Canvas, rng: np.random.Generator, size: float) -> None:
    """Draw a square in the middle."""
    del rng
    side = round(min(size, canvas.height, canvas.width))
    left, top = (canvas.width - side) // 2, (canvas.height - side) // 2
    canvas.draw.rectangle((left, top, left + side - 1, top + side - 1), fill=255)


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "blob": _blob,
        "centre": _centre,
        "crease": _crease,
        "flake": _flake,
        "hair": _hair,
        "rectangle": _rectangle,
        "scratch": _scratch,
        "stroke": _stroke,
    }
)
