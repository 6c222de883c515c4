"""Outlines as arrays of points, shape (N, 2), in page units with y downwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Points",
    "arc",
    "blob",
    "curve",
    "ellipse",
    "path",
    "place",
    "rectangle",
    "rounded",
    "spline",
    "superellipse",
]

Points = NDArray[np.float64]


def spline(knots: ArrayLike, *, closed: bool = False, steps: int = 14) -> Points:
    """Catmull-Rom curve through ``knots``, ``steps`` points for each span."""
    k = np.asarray(knots, dtype=np.float64)
    if closed:
        k = np.concatenate([k[-1:], k, k[:2]])
    else:
        k = np.concatenate([2 * k[:1] - k[1:2], k, 2 * k[-1:] - k[-2:-1]])
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (k[i : len(k) - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    ).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, k[-2:-1]])


def path(text: str) -> Points:
    """Points written as ``"x,y x,y"``."""
    return np.array([[float(v) for v in pair.split(",")] for pair in text.split()])


def curve(text: str) -> Points:
    """Open curve through points written as ``"x,y x,y"``."""
    return spline(path(text))


def blob(text: str) -> Points:
    """Return a closed curve through points written as ``"x,y x,y"``."""
    return spline(path(text), closed=True)


def arc(
    centre: Sequence[float], radius: float | Sequence[float], start: float, end: float, n: int = 48
) -> Points:
    """``n`` points of an ellipse's arc from angle ``start`` to ``end``, degrees, clockwise."""
    angle = np.radians(np.linspace(start, end, n))
    rx, ry = (radius, radius) if isinstance(radius, (int, float)) else radius
    return np.stack([centre[0] + rx * np.cos(angle), centre[1] + ry * np.sin(angle)], axis=1)


def ellipse(centre: Sequence[float], radius: float | Sequence[float], n: int = 96) -> Points:
    """Return a closed ellipse of ``n`` points; one radius or (rx, ry)."""
    return arc(centre, radius, 0, 360, n + 1)[:-1]


def superellipse(
    centre: Sequence[float], radius: Sequence[float], power: float = 2.6, n: int = 120
) -> Points:
    """Ellipse that leans to a rectangle as ``power`` grows: the outline of a speech bubble."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    x = np.sign(c) * np.abs(c) ** (2 / power)
    y = np.sign(s) * np.abs(s) ** (2 / power)
    return np.stack([centre[0] + radius[0] * x, centre[1] + radius[1] * y], axis=1)


def rectangle(x: float, y: float, width: float, height: float) -> Points:
    """Corners of an upright rectangle, clockwise from the top left."""
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], float)


def rounded(x: float, y: float, width: float, height: float, radius: float) -> Points:
    """Upright rectangle with round corners."""
    r = min(radius, width / 2, height / 2)
    corners = [
        arc((x + r, y + r), r, 180, 270, 10),
        arc((x + width - r, y + r), r, 270, 360, 10),
        arc((x + width - r, y + height - r), r, 0, 90, 10),
        arc((x + r, y + height - r), r, 90, 180, 10),
    ]
    return np.concatenate(corners)


def place(
    points: ArrayLike, origin: Sequence[float], size: float = 1.0, *, turn: float = 0.0
) -> Points:
    """Points scaled by ``size``, turned clockwise by ``turn`` degrees, then moved to ``origin``."""
    p = np.asarray(points, dtype=np.float64) * size
    if turn:
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        p = p @ np.array([[c, s], [-s, c]])
    return p + np.asarray(origin, dtype=np.float64)
