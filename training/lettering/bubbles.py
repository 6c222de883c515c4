"""Bubbles: closed outlines round a block of text, their tails, and how they are painted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["KINDS", "Colour", "Paint", "bubble", "paint"]

F64 = NDArray[np.float64]
Colour = tuple[int, int, int]

KINDS = ("ellipse", "box", "caption", "cloud", "shout", "wobble")


@dataclass(frozen=True)
class Paint:
    """Fill and outline of a bubble; `width` in px, `opacity` 0 to 1."""

    fill: Colour
    outline: Colour
    width: float
    opacity: float = 1.0


def bubble(
    kind: str, points: F64, pad: float, rng: np.random.Generator, tail: bool = True
) -> list[F64]:
    """Return the polygons of a bubble about the origin: the body, then parts of its tail.

    The body, one of `KINDS`, holds `points` (N, 2) in (x, y), `pad` px from its outline at the
    least. `rng` decides the shape. A caption has no `tail`.
    """
    reach = np.abs(points).max(axis=0) + 1e-6
    if kind == "caption":
        a, b = reach + 0.7 * pad
        return [np.array([(-a, -b), (a, -b), (a, b), (-a, b)])]
    power = float({"box": rng.uniform(4, 12), "ellipse": rng.uniform(2, 3.2)}.get(kind, 2.2))
    grown = (np.abs(points / reach) ** power).sum(axis=1).max() ** (1 / power)
    radii = reach * grown + pad
    body = _body(kind, radii, power, rng)
    return [body, *(_tail(kind, radii, pad, rng) if tail else ())]


def _body(kind: str, radii: F64, power: float, rng: np.random.Generator) -> F64:
    around = float(radii.sum())
    count = 120
    if kind == "shout":
        count = 2 * int(np.clip(around / rng.uniform(9, 24), 8, 40))
    angle = np.arange(count) * (2 * math.pi / count) + rng.uniform(0, 0.1)
    cos, sin = np.cos(angle), np.sin(angle)
    unit = np.stack(
        [np.sign(v) * np.abs(v) ** (2 / power) for v in (cos, sin)],
        axis=1,
    )
    stretch = np.ones(count)
    if kind == "cloud":
        bumps = int(np.clip(around / rng.uniform(25, 45), 5, 14))
        stretch += rng.uniform(0.1, 0.2) * np.abs(np.sin(angle * bumps / 2 + rng.uniform(0, 3)))
    elif kind == "shout":
        stretch[::2] += rng.uniform(0.08, 0.4) * rng.uniform(0.5, 1.2, count // 2)
    elif kind == "wobble":
        for waves in (2, 3, 5, 7):
            stretch += 0.02 + rng.uniform(0, 0.02) * np.sin(waves * angle + rng.uniform(0, 6.3))
    body: F64 = unit * radii * stretch[:, None]
    return body


def _tail(kind: str, radii: F64, pad: float, rng: np.random.Generator) -> list[F64]:
    # Speakers are below the bubble more often than above.
    angle = rng.uniform(0.1, 0.9) * math.pi * (1 if rng.random() < 0.8 else -1)
    out = np.array([math.cos(angle), math.sin(angle)])
    side = np.array([-out[1], out[0]])
    foot = out * radii * 0.75
    length = float(rng.uniform(0.35, 1.1) * radii.min() + 2 * pad)
    tip = out * radii + out * length + side * rng.uniform(-0.6, 0.6) * length
    if kind == "cloud":
        spots = []
        for step, size in ((0.15, 0.55), (0.55, 0.4), (0.95, 0.25)):
            turn = np.linspace(0, 2 * math.pi, 24, endpoint=False)
            centre = out * radii * 1.2 * (1 - step) + tip * step
            spots.append(centre + size * pad * np.stack([np.cos(turn), np.sin(turn)], axis=1))
        return spots
    half = float(rng.uniform(0.12, 0.3) * radii.min())
    if rng.random() < 0.15:
        knee = (foot + tip) / 2
        bends = [foot + side * half, knee + side * half - out * half / 2, knee, tip]
        bends += [knee - out * half, knee - side * half / 2 - out * half, foot - side * half]
        return [np.array(bends)]
    bend = side * rng.uniform(-0.5, 0.5) * length
    t = np.linspace(0, 1, 10)[:, None]
    edges = []
    for sign in (1, -1):
        start = foot + side * half * sign
        middle = (start + tip) / 2 + bend
        edges.append((1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * tip)
    return [np.concatenate([edges[0], edges[1][::-1]])]


def paint(
    canvas: Image.Image, parts: Sequence[F64], centre: tuple[float, float], colours: Paint
) -> None:
    """Paint a bubble's parts as one shape, in place; what lies off the canvas is cut."""
    margin = math.ceil(colours.width) + 2
    every = np.concatenate(parts) + centre
    low = np.maximum(np.floor(every.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(every.max(axis=0)).astype(int) + margin, canvas.size)
    if (high <= low).any():
        return
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    origin = (int(low[0]), int(low[1]))
    rings = [[(float(x), float(y)) for x, y in part + centre - low] for part in parts]
    if colours.width > 0:
        mask = Image.new("L", size)
        draw = ImageDraw.Draw(mask)
        for ring in rings:
            # Twice the width, as the inner half is erased below.
            draw.line([*ring, *ring[:2]], fill=255, width=round(2 * colours.width), joint="curve")
        for ring in rings:
            draw.polygon(ring, fill=0)
        canvas.paste(colours.outline, origin, mask)
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for ring in rings:
        draw.polygon(ring, fill=round(255 * colours.opacity))
    canvas.paste(colours.fill, origin, mask)
