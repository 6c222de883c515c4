"""The lighthouse and its lens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from clip.canvas import CORAL, CREAM, INK, MUSTARD, NIGHT, TEAL, Canvas, mix
from clip.curves import Points, arc, ellipse, rectangle, rounded

__all__ = ["fresnel", "lighthouse"]


def lighthouse(canvas: Canvas, foot: Sequence[float], height: float) -> tuple[float, float]:
    """Draw a striped tower standing on ``foot``; returns where its lamp is."""
    h, (fx, fy) = height, foot
    line = max(1.6, h * 0.0065)

    def wide(share: float) -> float:
        return float(h * (0.155 - 0.075 * share**0.8))

    def ring(a: float, b: float) -> Points:
        left = [(fx - wide(s), fy - h * s * 0.74) for s in (a, b)]
        right = [(fx + wide(s), fy - h * s * 0.74) for s in (b, a)]
        return np.array(left + right)

    tower = ring(0, 1)
    canvas.fill(tower, CREAM)
    with canvas.clipped(tower):
        for i in range(0, 7, 2):
            canvas.fill(ring(i / 7, (i + 1) / 7), CORAL)
        canvas.glaze(
            [
                (fx + wide(0) * 0.1, fy),
                (fx + wide(1) * 0.2, fy - h),
                (fx + h, fy - h),
                (fx + h, fy),
            ],
            (40, 30, 80),
            0.42,
        )
        for k in range(60):
            y = fy - h * 0.74 * k / 60
            reach = wide(k / 60)
            canvas.line(
                [(fx + reach * 0.62, y), (fx + reach * 1.1, y + h * 0.004)], INK, line * 0.45
            )
    canvas.ink(tower, line * 1.5)
    for s in (0.2, 0.48, 0.76):
        y = fy - h * s * 0.74
        canvas.shape(
            rounded(fx - h * 0.017, y - h * 0.03, h * 0.034, h * 0.05, h * 0.017), MUSTARD, line
        )
    top = fy - h * 0.74
    canvas.shape(
        rectangle(fx - h * 0.115, top - h * 0.012, h * 0.23, h * 0.028), mix(NIGHT, INK, 0.3), line
    )
    glass = rectangle(fx - h * 0.055, top - h * 0.125, h * 0.11, h * 0.113)
    canvas.shape(glass, (255, 240, 170), line)
    for k in range(1, 4):
        x = fx - h * 0.055 + h * 0.11 * k / 4
        canvas.line([(x, top - h * 0.125), (x, top - h * 0.012)], width=line * 0.7)
    canvas.line(
        [(fx - h * 0.055, top - h * 0.07), (fx + h * 0.055, top - h * 0.07)], width=line * 0.7
    )
    for k in range(-7, 8):
        x = fx + h * 0.112 * k / 7
        canvas.line([(x, top - h * 0.012), (x, top - h * 0.06)], width=line * 0.6)
    canvas.line([(fx - h * 0.112, top - h * 0.06), (fx + h * 0.112, top - h * 0.06)], width=line)
    dome = np.concatenate(
        [
            arc((fx, top - h * 0.125), (h * 0.072, h * 0.08), 180, 360, 30),
            [(fx + h * 0.08, top - h * 0.118), (fx - h * 0.08, top - h * 0.118)],
        ]
    )
    canvas.shape(dome, CORAL, line * 1.2)
    canvas.brush(
        arc((fx - h * 0.005, top - h * 0.125), (h * 0.05, h * 0.055), 195, 260, 14),
        line * 2,
        mix(CORAL, CREAM, 0.7),
    )
    canvas.line([(fx, top - h * 0.2), (fx, top - h * 0.26)], width=line)
    canvas.disc(fx, top - h * 0.212, h * 0.012, INK)
    return fx, top - h * 0.07


def fresnel(
    canvas: Canvas, centre: Sequence[float], radius: float, *, turn: float = 0.0, lit: float = 1.0
) -> None:
    """Draw the lens: many fine rings of glass around a bull's-eye, in a brass frame."""
    x, y = centre
    line = max(1.8, radius * 0.008)
    brass, glass = (214, 158, 62), (190, 226, 222)
    canvas.outlined_disc(x, y, radius * 1.1, brass, line * 2)
    for angle in np.radians(np.arange(0, 360, 15) + turn):
        c, s = np.cos(angle), np.sin(angle)
        canvas.outlined_disc(
            x + c * radius * 1.045, y + s * radius * 1.045, radius * 0.022, CREAM, line * 0.7
        )
    canvas.outlined_disc(x, y, radius, glass, line * 1.4)
    with canvas.clipped(ellipse((x, y), radius)):
        rings = np.linspace(1, 0.3, 22) ** 0.9
        for i, (outer, inner) in enumerate(pairwise(rings)):
            shade = mix((120, 186, 196), (240, 250, 240), (i % 2) * 0.75 + 0.1)
            canvas.disc(x, y, outer * radius, shade)
            canvas.disc(x, y, inner * radius, mix(shade, (96, 160, 178), 0.5))
        for r in rings:
            canvas.line(
                np.concatenate([p := ellipse((x, y), r * radius, 160), p[:1]]),
                mix(INK, TEAL, 0.35),
                line * 0.42,
            )
        for angle in (turn, turn + 60, turn + 120, turn + 180, turn + 240, turn + 300):
            wedge = np.concatenate([[(x, y)], arc((x, y), radius * 1.05, angle - 9, angle + 9, 20)])
            canvas.glaze(wedge, (255, 255, 245), 0.34 * lit)
        for angle in np.arange(0, 360, 30) + turn:
            rim = arc((x, y), radius, angle, angle + 0.1, 2)[0]
            hub = arc((x, y), radius * 0.3, angle, angle + 0.1, 2)[0]
            canvas.line([hub, rim], brass, line * 1.8)
            canvas.line([hub, rim], INK, line * 0.4)
        canvas.outlined_disc(x, y, radius * 0.3, (255, 246, 200), line * 1.4)
        for k in range(5, 0, -1):
            canvas.disc(x, y, radius * 0.052 * k, mix((255, 255, 240), (252, 214, 110), k / 5))
    canvas.ink(ellipse((x, y), radius), line * 1.2)
