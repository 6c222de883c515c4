"""A drawing surface measured in page units, made oversized for the camera to filter down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from clip.curves import Points, ellipse, spline

__all__ = [
    "CORAL",
    "CREAM",
    "INK",
    "MUSTARD",
    "NIGHT",
    "PAPER",
    "TEAL",
    "Canvas",
    "Colour",
    "Field",
    "mix",
]

Colour = tuple[int, int, int]
Field = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]

INK: Colour = (26, 22, 34)
PAPER: Colour = (245, 237, 219)
CREAM: Colour = (255, 246, 222)
NIGHT: Colour = (24, 38, 78)
TEAL: Colour = (38, 134, 142)
CORAL: Colour = (233, 88, 70)
MUSTARD: Colour = (248, 192, 76)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Colour between ``a`` (share 0) and ``b`` (share 1)."""
    red, green, blue = (round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return red, green, blue


class Canvas:
    """The part ``box`` of the page, drawn with ``scale`` pixels to a unit and without antialiasing.

    Parameters
    ----------
    box
        (left, top, width, height) in page units.
    scale
        Pixels to a unit; 3 or more, seen at one output pixel to a unit, gives smooth edges.
    colour
        What the surface starts as.
    """

    def __init__(self, box: Sequence[float], scale: float, colour: Colour = PAPER) -> None:
        self.left, self.top, self.width, self.height = box
        self.scale = scale
        size = (max(1, round(self.width * scale)), max(1, round(self.height * scale)))
        self.image = Image.new("RGB", size, colour)
        self._draw = ImageDraw.Draw(self.image)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(left, top, width, height) in page units."""
        return self.left, self.top, self.width, self.height

    def _pixels(self, points: ArrayLike) -> list[tuple[float, float]]:
        p = (np.asarray(points, dtype=np.float64) - (self.left, self.top)) * self.scale
        return [(float(x), float(y)) for x, y in p]

    def fill(self, points: ArrayLike, colour: Colour) -> None:
        """Fill an outline."""
        self._draw.polygon(self._pixels(points), fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        px, py = (x - self.left) * self.scale, (y - self.top) * self.scale
        r = radius * self.scale
        self._draw.ellipse((px - r, py - r, px + r, py + r), fill=colour)

    def line(self, points: ArrayLike, colour: Colour = INK, width: float = 1.0) -> None:
        """Line of even width, for hatching, grids and other fine work."""
        pixels = max(1, round(width * self.scale))
        self._draw.line(self._pixels(points), fill=colour, width=pixels, joint="curve")

    def pen(self, points: ArrayLike, width: float, colour: Colour = INK) -> None:
        """Line of even width with round ends and joins: lettering."""
        pixels = self._pixels(points)
        stroke = max(1, round(width * self.scale))
        self._draw.line(pixels, fill=colour, width=stroke)
        r = width * self.scale / 2
        for x, y in pixels:
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def brush(self, points: ArrayLike, width: float, colour: Colour = INK) -> None:
        """Open stroke that swells from nothing to ``width`` and thins out again."""
        p = np.asarray(points, dtype=np.float64)
        if len(p) < 8:
            p = spline(p, steps=8)
        swell = np.sin(np.linspace(0, np.pi, len(p))) ** 0.6
        side = _normals(p, closed=False) * (swell * width / 2)[:, None]
        self.fill(np.concatenate([p + side, (p - side)[::-1]]), colour)

    def ink(
        self, points: ArrayLike, width: float, colour: Colour = INK, *, weight: float = 0.35
    ) -> None:
        """Ink a closed outline, heavier below and to the right by ``weight``, as a pen draws it."""
        p = np.asarray(points, dtype=np.float64)
        normals = _normals(p, closed=True)
        area = np.sum(p[:, 0] * np.roll(p[:, 1], -1) - np.roll(p[:, 0], -1) * p[:, 1])
        shade = normals @ np.array([0.5, 0.85]) * (-np.sign(area) or 1.0)
        half = width / 2 * (1 + weight * shade)
        left, right = p + normals * half[:, None], p - normals * half[:, None]
        for i in range(len(p)):
            j = (i + 1) % len(p)
            self.fill([left[i], left[j], right[j], right[i]], colour)
            self.disc(p[i, 0], p[i, 1], half[i], colour)

    def shape(self, points: ArrayLike, colour: Colour, width: float = 3.0) -> None:
        """Fill an outline and ink it."""
        self.fill(points, colour)
        self.ink(points, width)

    def glaze(self, points: ArrayLike, colour: Colour, opacity: float) -> None:
        """Fill an outline with a translucent colour."""
        pixels = np.asarray(self._pixels(points))
        low = np.maximum(np.floor(pixels.min(axis=0)), 0).astype(int)
        high = np.minimum(np.ceil(pixels.max(axis=0)) + 1, self.image.size).astype(int)
        if np.any(high <= low):
            return
        mask = Image.new("L", (int(high[0] - low[0]), int(high[1] - low[1])))
        ImageDraw.Draw(mask).polygon(
            [(float(x), float(y)) for x, y in pixels - low], fill=round(255 * opacity)
        )
        self.image.paste(colour, (int(low[0]), int(low[1])), mask)

    @contextmanager
    def clipped(self, points: ArrayLike) -> Iterator[None]:
        """Whatever is drawn inside the ``with`` block shows only within this outline."""
        before = self.image.copy()
        yield
        outside = Image.new("L", self.image.size, 255)
        ImageDraw.Draw(outside).polygon(self._pixels(points), fill=0)
        self.image.paste(before, (0, 0), outside)

    def _region(
        self, box: Sequence[float] | None
    ) -> tuple[tuple[int, int, int, int], NDArray[np.float32], NDArray[np.float32]]:
        """Pixels of ``box`` that lie on the canvas, and their positions (1, W), (H, 1) in units."""
        x, y, w, h = box or self.box
        x0 = max(0, round((x - self.left) * self.scale))
        y0 = max(0, round((y - self.top) * self.scale))
        x1 = max(x0, min(self.image.width, round((x + w - self.left) * self.scale)))
        y1 = max(y0, min(self.image.height, round((y + h - self.top) * self.scale)))
        across = (np.arange(x0, x1, dtype=np.float32) + 0.5) / self.scale + self.left
        down = (np.arange(y0, y1, dtype=np.float32) + 0.5) / self.scale + self.top
        return (x0, y0, x1, y1), across[None].astype(np.float32), down[:, None].astype(np.float32)

    def vertical(self, stops: Sequence[tuple[float, Colour]], box: Sequence[float] | None) -> None:
        """Gradient from top to bottom through (position 0 to 1, colour) stops."""
        (x0, y0, x1, y1), _, down = self._region(box)
        if x1 <= x0 or y1 <= y0:
            return
        top, height = (box[1], box[3]) if box else (self.top, self.height)
        share = (down[:, 0] - top) / height
        where = [position for position, _ in stops]
        column = np.stack(
            [np.interp(share, where, [colour[i] for _, colour in stops]) for i in range(3)], axis=-1
        )
        strip = Image.fromarray(np.rint(column)[:, None].astype(np.uint8))
        self.image.paste(strip.resize((x1 - x0, y1 - y0), Image.Resampling.NEAREST), (x0, y0))

    def wash(self, opacity: Field, colour: Colour, box: Sequence[float] | None = None) -> None:
        """Lay ``colour`` over ``box`` with an opacity of 0 to 1 that depends on (x, y)."""
        (x0, y0, x1, y1), across, down = self._region(box)
        if x1 <= x0:
            return
        # In bands, so that a page of many megapixels needs little memory.
        for first in range(0, y1 - y0, 256):
            band = down[first : first + 256]
            value = np.clip(opacity(across, band), 0, 1) * 255
            mask = np.broadcast_to(value, (len(band), x1 - x0)).astype(np.uint8)
            self.image.paste(colour, (x0, y0 + first), Image.fromarray(mask))

    def halftone(
        self,
        tone: Field,
        colour: Colour,
        *,
        pitch: float = 9.0,
        angle: float = 45.0,
        box: Sequence[float] | None = None,
    ) -> None:
        """Dots on a turned lattice whose area follows ``tone``, 0 (none) to 1 (solid)."""
        c, s = np.cos(np.radians(angle)) / pitch, np.sin(np.radians(angle)) / pitch

        def dots(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
            u, v = x * np.float32(c) + y * np.float32(s), y * np.float32(c) - x * np.float32(s)
            u -= np.floor(u) + np.float32(0.5)
            v -= np.floor(v) + np.float32(0.5)
            reach = np.clip(tone(x, y), 0, 1) / np.float32(np.pi) * np.float32(1.25)
            inside: NDArray[np.bool_] = u * u + v * v < reach
            return inside.astype(np.float32)

        self.wash(dots, colour, box)

    def type(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        colour: Colour = INK,
        *,
        anchor: str = "ls",
        bold: float = 0.0,
    ) -> None:
        """Set a line of type (Pillow's own font) with its anchor at (x, y), ``size`` units high."""
        self._draw.text(
            ((x - self.left) * self.scale, (y - self.top) * self.scale),
            text,
            fill=colour,
            font=ImageFont.load_default(size * self.scale),
            anchor=anchor,
            stroke_width=bold * self.scale,
        )

    def place(self, other: Canvas, corner: Sequence[float], outline: ArrayLike) -> None:
        """Show another canvas, its top left at ``corner``, within ``outline``, pixel for pixel."""
        x = round((corner[0] - self.left) * self.scale)
        y = round((corner[1] - self.top) * self.scale)
        mask = Image.new("L", other.image.size)
        shifted = [(px - x, py - y) for px, py in self._pixels(outline)]
        ImageDraw.Draw(mask).polygon(shifted, fill=255)
        self.image.paste(other.image, (x, y), mask)

    def outlined_disc(
        self, x: float, y: float, radius: float, colour: Colour, width: float
    ) -> None:
        """Circle, filled and inked."""
        self.shape(ellipse((x, y), radius), colour, width)


def _normals(p: Points, *, closed: bool) -> Points:
    """Return unit normals at the points of a path, shape (N, 2)."""
    tangent = np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0) if closed else np.gradient(p, axis=0)
    length = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)
    normals: Points = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / length[:, None]
    return normals
