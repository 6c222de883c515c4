"""Dawn over clear water, seen from the gallery: the last panel."""

from __future__ import annotations

import numpy as np

from clip.canvas import CORAL, CREAM, INK, MUSTARD, NIGHT, Canvas, Colour, mix
from clip.cat import cat
from clip.curves import Points, blob, ellipse, path, place, rectangle, spline
from clip.keeper import robot

__all__ = ["dawn"]


def dawn(canvas: Canvas) -> None:
    """Draw the scene (1190 by 592)."""
    w, h = canvas.width, canvas.height
    horizon = 330.0
    canvas.vertical(
        [
            (0, (64, 132, 168)),
            (0.25, (154, 196, 190)),
            (0.45, (255, 216, 150)),
            (0.57, (250, 140, 96)),
        ],
        None,
    )
    sx, sy = 420.0, horizon - 6
    for k in range(36):
        a, b = np.radians(10 * k), np.radians(10 * k + 4.2)
        ray = [
            (sx, sy),
            (sx + 1400 * np.cos(a), sy + 1400 * np.sin(a)),
            (sx + 1400 * np.cos(b), sy + 1400 * np.sin(b)),
        ]
        canvas.glaze(ray, (255, 240, 190), 0.26)
    canvas.halftone(
        lambda u, v: np.hypot(u - sx, v - sy) / 900 - 0.34,
        (52, 112, 156),
        pitch=9,
        angle=20,
        box=(0, 0, w, horizon),
    )
    for radius, tone in ((122, (255, 196, 110)), (104, (255, 226, 140)), (88, (255, 246, 198))):
        canvas.disc(sx, sy, radius, tone)
    canvas.ink(ellipse((sx, sy), 88), 2.6)
    for x, y, length in (
        (60, 120, 250),
        (640, 84, 330),
        (850, 196, 260),
        (180, 214, 150),
        (560, 250, 200),
    ):
        for k in range(6):
            inset = 14 * k + 20 * abs(np.sin(k * 2.1 + x))
            bar = np.array(
                [
                    (x + inset, y + 7 * k),
                    (x + length / 2, y - 1.6 + 7 * k),
                    (x + length - inset, y + 7 * k),
                ]
            )
            canvas.brush(bar, 6, mix(CREAM, CORAL, 0.09 * k))
    _hills(canvas, horizon)
    _water(canvas, w, h, horizon, sx)
    _cutter(canvas, (700, 408), 1.0)
    for x, y, s in ((300, 90, 1.0), (352, 116, 0.7), (250, 132, 0.6), (520, 150, 0.8)):
        for side in (-1, 1):
            canvas.brush(place(spline(path("0,0 12,-12 28,-6")) * (side, 1), (x, y), s), 4.4 * s)
    _railing(canvas, w, h)


def _hills(canvas: Canvas, horizon: float) -> None:
    x = np.linspace(-10, 1220, 200)
    tones: tuple[Colour, ...] = ((214, 140, 128), (150, 100, 124), (92, 76, 116))
    for i, tone in enumerate(tones):
        rise = 1 - np.exp(-(((x - 1080 + 60 * i) / (420 - 90 * i)) ** 2))
        y = horizon + 3 - (1 - rise) * (118 - 26 * i)
        y -= (1 - rise) * 13 * (np.abs(np.sin(x / (31 - 5 * i) + i)) + 0.6 * np.sin(x / 13 + i * 2))
        y = np.minimum(y, horizon + 3)
        ridge = np.stack([x, y], 1)
        canvas.fill(np.concatenate([ridge, [(1220, horizon + 3), (-10, horizon + 3)]]), tone)
        for a in range(0, 200, 2):
            drop = (horizon - y[a]) * 0.62
            if drop > 7:
                canvas.line(
                    [(x[a], y[a] + 3), (x[a] + drop * 0.42, y[a] + drop)],
                    mix(tone, NIGHT, 0.5),
                    0.9,
                )
        canvas.line(ridge[y < horizon], INK, 1.8)


def _water(canvas: Canvas, w: float, h: float, horizon: float, sun: float) -> None:
    box = (0.0, horizon, w, h - horizon)
    canvas.vertical([(0, (252, 178, 116)), (0.18, (120, 166, 168)), (1, (22, 82, 116))], box)
    canvas.line([(0, horizon), (w, horizon)], INK, 1.8)
    rng = np.random.default_rng(12)
    for depth, place_x, long in rng.random((260, 3)):
        y = horizon + 5 + (h - horizon) * depth**1.6
        reach = (10 + 60 * long) * (0.25 + depth)
        x = place_x * w
        tone = mix((30, 96, 128), (214, 236, 224), 0.85 if rng.random() < 0.4 else 0.05)
        canvas.brush(
            [(x - reach, y), (x, y - 2 * depth - 0.5), (x + reach, y)], 1.4 + 3.4 * depth, tone
        )
    for depth, aside, long in rng.random((70, 3)):
        y = horizon + 4 + 190 * depth
        x = sun + (aside - 0.5) * (150 + 190 * depth)
        reach = 8 + 36 * long
        canvas.brush(
            [(x - reach, y), (x, y - 0.8), (x + reach, y)], 2.4 + 3 * depth, (255, 238, 176)
        )


def _cutter(canvas: Canvas, at: tuple[float, float], size: float) -> None:
    """Draw a two-masted boat with all its rigging."""

    def put(text: str) -> Points:
        return place(path(text), at, size)

    for line in (
        "-4,-196 -112,-14",
        "-4,-196 96,-12",
        "66,-140 104,-10",
        "66,-140 0,-10",
        "-4,-170 66,-140",
        "-112,-14 -148,-26",
        "-4,-186 -146,-26",
    ):
        canvas.line(put(line), INK, 1.0)
    for k in range(7):
        canvas.line(put(f"{-4 + 3 * k},-196 {8 + 9 * k},-10"), INK, 0.7)
    for k in range(12):
        y = -20 - 12 * k
        canvas.line(put(f"{0 + 0.0 * k},{y} {58 - 4.4 * k},{y}"), INK, 0.7)
    canvas.line(put("-4,-206 -4,0"), INK, 4)
    canvas.line(put("66,-146 66,0"), INK, 3.4)
    for text, tone in (
        ("-10,-182 -10,-22 -92,-22", CREAM),
        ("4,-150 4,-24 56,-24 50,-60", (250, 226, 180)),
        ("-16,-150 -140,-28 -98,-24", (250, 236, 206)),
        ("72,-128 72,-22 112,-22", CREAM),
    ):
        sail = put(text)
        canvas.shape(sail, tone, 2.2)
        top, bottom = sail[0], sail[-1]
        for k in range(1, 5):
            canvas.line(
                [top + (sail[1] - top) * k / 5, top + (bottom - top) * k / 5],
                mix(tone, INK, 0.45),
                0.8,
            )
    hull = place(blob("-124,-16 0,-8 122,-16 104,16 70,26 -80,26 -106,14"), at, size)
    canvas.shape(hull, (52, 54, 84), 2.8)
    with canvas.clipped(hull):
        canvas.fill(put("-140,12 140,12 140,40 -140,40"), CORAL)
        canvas.line(put("-130,-2 130,-2"), MUSTARD, 2)
    for k in range(6):
        canvas.brush(
            place(
                path("-130,30 0,26 130,30"), (at[0] + 8 * k - 20, at[1] + 2 + 5 * k), 1 - 0.12 * k
            ),
            4,
            CREAM,
        )


def _railing(canvas: Canvas, w: float, h: float) -> None:
    """Stand keeper and cat behind the gallery's railing."""
    robot(canvas, (1010, 348), 102, look=(-1, -0.1), turn=-3)
    mesh = mix(NIGHT, INK, 0.5)
    for k in range(61):
        x = w * k / 60
        canvas.line([(x, h - 92), (x, h)], mesh, 1.5)
    for k in range(5):
        y = h - 76 + 19 * k
        canvas.line([(0, y), (w, y)], mesh, 1.5)
    for k in range(7):
        x = 24 + k * (w - 48) / 6
        canvas.shape(rectangle(x - 7, h - 98, 14, 110), NIGHT, 2.4)
        canvas.outlined_disc(x, h - 112, 12, MUSTARD, 2.4)
    canvas.shape(rectangle(-10, h - 104, w + 20, 15), CORAL, 2.8)
    canvas.line([(0, h - 100), (w, h - 100)], mix(CORAL, CREAM, 0.6), 2)
    cat(canvas, (836, h - 242), 43, blink=True)
