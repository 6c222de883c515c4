"""The night sea with its lighthouse; the beam turns, the waves roll, the clouds drift."""

from __future__ import annotations

import numpy as np

from clip.canvas import CREAM, INK, MUSTARD, NIGHT, TEAL, Canvas, Colour, mix
from clip.curves import Points, arc, blob, ellipse, path, place, rounded, spline
from clip.lighthouse import lighthouse

__all__ = ["night"]

_HORIZON = 430.0
_LAMP_TOWER = ((985.0, 560.0), 520.0)


def night(canvas: Canvas, time: float) -> None:
    """Draw the scene, 1280 units wide and 720 high, at ``time`` seconds."""
    width, height = canvas.width, canvas.height
    canvas.vertical(
        [
            (0, (14, 22, 54)),
            (0.3, (28, 54, 104)),
            (0.52, (62, 122, 150)),
            (0.61, (238, 178, 132)),
            (1, (238, 178, 132)),
        ],
        (0, 0, width, height),
    )
    canvas.halftone(
        lambda x, y: 0.42 - y / 620 + 0 * x, (12, 16, 42), pitch=8, box=(0, 0, width, _HORIZON)
    )
    _stars(canvas, width, time)
    _moon(canvas)
    _clouds(canvas, time)
    foot, tall = _LAMP_TOWER
    _beam(canvas, (foot[0], foot[1] - tall * 0.81), time)
    _sea(canvas, width, height, time)
    _cliff(canvas, height)
    lighthouse(canvas, foot, tall)
    _rocks(canvas, width, height)


def _stars(canvas: Canvas, width: float, time: float) -> None:
    rng = np.random.default_rng(3)
    for x, y, r in rng.random((150, 3)):
        px, py = x * width, y**1.4 * 330
        canvas.disc(px, py, 0.6 + 1.3 * r * r, mix((120, 150, 190), CREAM, r))
    for i, (x, y) in enumerate(path("90,70 420,60 560,190 700,60 1180,110 830,150 120,250")):
        r = 9 + 3 * np.sin(time * 5 + i * 2)
        ray = [
            (
                (r, r * 0.2)[k % 2] * np.cos(k * np.pi / 4),
                (r, r * 0.2)[k % 2] * np.sin(k * np.pi / 4),
            )
            for k in range(8)
        ]
        canvas.fill(place(ray, (x, y)), CREAM)


def _moon(canvas: Canvas) -> None:
    x, y, r = 300.0, 190.0, 104.0
    canvas.wash(
        lambda u, v: 0.42 * np.exp(-(((u - x) ** 2 + (v - y) ** 2) / 170**2)),
        (250, 226, 170),
        (x - 420, 0, 840, 480),
    )
    disc = ellipse((x, y), r)
    canvas.fill(disc, (252, 234, 178))
    with canvas.clipped(disc):
        for dx, dy, s in (
            (-30, -34, 20),
            (34, 8, 28),
            (-18, 44, 15),
            (52, -50, 12),
            (-62, 14, 11),
            (8, -68, 8),
        ):
            canvas.fill(ellipse((x + dx, y + dy), (s, s * 0.92)), (236, 204, 136))
            canvas.fill(
                ellipse((x + dx + 2.5, y + dy + 2.5), (s * 0.84, s * 0.78)), (244, 216, 152)
            )
        canvas.halftone(
            lambda u, v: ((u - x) + (v - y)) / r * 0.5 - 0.12,
            (214, 160, 92),
            pitch=7,
            box=(x - r, y - r, 2 * r, 2 * r),
        )
    canvas.ink(disc, 3.2)


def _clouds(canvas: Canvas, time: float) -> None:
    for seed, (x, y, length, speed) in enumerate(
        (
            (-40, 322, 300, 18),
            (480, 270, 250, 28),
            (1090, 296, 280, 22),
            (150, 398, 420, 40),
            (700, 404, 330, 36),
        )
    ):
        _cloud(canvas, x + speed * time, y, length, seed)


def _cloud(canvas: Canvas, x: float, y: float, length: float, seed: int) -> None:
    """Draw a flat-bottomed bank of puffs that stands on ``y``."""
    rng = np.random.default_rng(seed)
    puffs = []
    for share in np.linspace(0.06, 0.94, max(5, round(length / 36))):
        r = length * (0.035 + 0.085 * np.sin(np.pi * share)) * (0.75 + 0.5 * rng.random())
        puffs.append((x + share * length, y - r * (0.85 + 0.2 * np.sin(np.pi * share)), r))
    tone = mix((112, 156, 186), (246, 206, 172), (y - 270) / 130)
    base = rounded(x - length * 0.04, y - length * 0.03, length * 1.08, length * 0.045, 8)
    canvas.ink(base, 4)
    for cx, cy, r in puffs:
        canvas.disc(cx, cy, r + 2, INK)
    canvas.fill(base, tone)
    for cx, cy, r in puffs:
        canvas.disc(cx, cy, r, tone)
    for cx, cy, r in puffs[1::3]:
        canvas.brush(arc((cx, cy), r * 0.78, 200, 300, 12), 2.4, mix(tone, (255, 255, 255), 0.6))
    for k in range(8):
        row = y - 1 - 3.6 * k
        for cx, cy, r in puffs:
            if abs(row - cy) < r:
                half = np.sqrt(r * r - (row - cy) ** 2)
                shade = mix(tone, NIGHT, 0.5 - 0.055 * k)
                canvas.line([(cx - half, row), (cx + half, row)], shade, 1.0)


def _beam(canvas: Canvas, lamp: tuple[float, float], time: float) -> None:
    for offset in (0.0, np.pi):
        angle = time * 0.5 + 2.6 + offset
        reach = np.cos(angle)
        for spread, opacity in ((0.1, 0.26), (0.055, 0.3)):
            way = 1500 * reach
            tilt = 0.1 * np.sin(angle)
            wedge = [
                (lamp[0], lamp[1] - 5),
                (lamp[0] + way, lamp[1] + way * tilt * np.sign(reach) - 1500 * spread),
                (lamp[0] + way, lamp[1] + way * tilt * np.sign(reach) + 1500 * spread),
                (lamp[0], lamp[1] + 5),
            ]
            canvas.glaze(wedge, (255, 242, 180), opacity)
    glow = 130 + 40 * np.cos(time + 5.2)
    canvas.wash(
        lambda u, v: 0.8 * np.exp(-(((u - lamp[0]) ** 2 + (v - lamp[1]) ** 2) / (glow / 2) ** 2)),
        (255, 244, 190),
        (lamp[0] - 300, lamp[1] - 300, 600, 600),
    )


def _sea(canvas: Canvas, width: float, height: float, time: float) -> None:
    x = np.linspace(-20, width + 20, 220)
    near: Colour = (14, 40, 78)
    far: Colour = (70, 150, 164)
    layers = 8
    for i in range(layers):
        share = i / (layers - 1)
        base = _HORIZON + 6 + (height - _HORIZON) * share**1.35 * 0.86
        tall = 2 + 17 * share
        length = 50 + 190 * share
        phase = time * (1.6 + 1.2 * share) * (1 if i % 2 else -0.8) + i * 2.1
        # Trochoid-like: sharp crests and broad troughs.
        swell = 1 - np.abs(np.sin(x / length * np.pi + phase * 0.5)) ** 0.8
        y = base - tall * swell - tall * 0.3 * np.sin(x / (length * 2.3) + phase)
        if i == 3:
            _boat(
                canvas,
                (610 + time * 10, base - 12 + 3 * np.sin(time * 2.2)),
                4 * np.sin(time * 2.2 + 1),
            )
        tone = mix(far, near, share**0.8)
        canvas.fill(
            np.concatenate([np.stack([x, y], 1), [(width + 20, height + 5), (-20, height + 5)]]),
            tone,
        )
        crests = np.flatnonzero((y[1:-1] <= y[:-2]) & (y[1:-1] < y[2:])) + 1
        for k in range(1, 2 + int(4 * share)):
            drop = k * (4 + 7 * share)
            fade = mix(tone, CREAM, 0.42 - 0.07 * k)
            reach = int(4 + 9 * share) - k
            for crest in crests:
                part = slice(max(0, crest - reach - 2 * k), crest + reach - k)
                canvas.line(np.stack([x[part], y[part] + drop], 1), fade, 1 + share)
        canvas.line(np.stack([x, y], 1), mix(INK, NIGHT, 0.3), 1.2 + 2.0 * share)
        if i in (0, 1, 2, 3):
            _glitter(canvas, base, i, time)


def _glitter(canvas: Canvas, base: float, row: int, time: float) -> None:
    rng = np.random.default_rng(40 + row)
    for k in range(9):
        x = 300 + (rng.random() - 0.5) * (120 + 70 * row)
        wide = (9 + 22 * rng.random()) * (0.7 + 0.5 * np.sin(time * 6 + k * 1.9 + row))
        y = base + 4 + 22 * rng.random() * (0.4 + row * 0.3)
        canvas.brush([(x - wide, y), (x, y - 0.6), (x + wide, y)], 2.4 + row * 0.9, (255, 232, 170))


def _boat(canvas: Canvas, at: tuple[float, float], roll: float) -> None:
    def put(points: Points) -> Points:
        return place(points, at, 1.0, turn=roll)

    for mast in (
        ((0, -78), (0, 0)),
        ((0, -78), (-46, -8)),
        ((0, -78), (44, -8)),
        ((0, -50), (-30, -8)),
    ):
        canvas.line(put(np.array(mast)), INK, 1.3)
    canvas.shape(put(path("3,-72 36,-14 3,-10")), CREAM, 2)
    canvas.shape(put(path("-3,-66 -32,-14 -3,-10")), mix(CREAM, MUSTARD, 0.5), 2)
    canvas.shape(put(blob("-46,-8 46,-8 34,10 -32,10")), (150, 58, 52), 2.2)
    top = put(np.array([(0.0, -80.0)]))[0]
    canvas.disc(top[0], top[1], 3.4, (255, 240, 160))


def _cliff(canvas: Canvas, height: float) -> None:
    outline = path(
        "770,720 800,640 826,628 838,590 872,578 888,552 "
        "1090,548 1112,574 1150,582 1168,616 1206,630 1240,720"
    )
    outline = np.concatenate([outline, [(1240, height + 10), (770, height + 10)]])
    canvas.fill(outline, (66, 62, 92))
    with canvas.clipped(outline):
        canvas.fill(path("1000,540 1260,540 1260,740 1060,740 1030,650 1046,600"), (42, 38, 66))
        canvas.fill(blob("880,548 980,540 1100,544 1088,562 990,568 890,564"), (92, 132, 108))
        rng = np.random.default_rng(8)
        for _ in range(70):
            x, y = 780 + 440 * rng.random(), 575 + 150 * rng.random()
            canvas.brush(
                [
                    (x, y),
                    (x - 3 + 8 * rng.random(), y + 12),
                    (x - 8 + 12 * rng.random(), y + 16 + 30 * rng.random()),
                ],
                3.0,
                INK,
            )
        for k in range(40):
            x = 1050 + k * 5
            canvas.line([(x, 560), (x - 30, 740)], mix(INK, NIGHT, 0.4), 1.1)
    canvas.ink(outline, 4)


def _rocks(canvas: Canvas, width: float, height: float) -> None:
    """Put dark rocks into the near corner, with foam at their feet."""
    for x, y, s in ((40, height - 20, 1.5), (190, height + 8, 0.9), (width - 60, height, 1.2)):
        rock = place(path("-90,40 -70,-20 -30,-52 4,-48 40,-18 84,-6 104,40"), (x, y), s)
        canvas.shape(rock, (34, 32, 58), 3.4)
        for k in range(7):
            top = place([(-10 + 13 * k, -40 + 6 * k), (-22 + 13 * k, 30)], (x, y), s)
            canvas.brush(
                np.concatenate([top[:1], top.mean(0, keepdims=True), top[1:]]),
                3,
                mix(TEAL, INK, 0.45),
            )
        foam = place(
            spline([(-110 + 20 * k, 26 + (7 if k % 2 else -3)) for k in range(12)]), (x, y), s
        )
        canvas.line(foam, CREAM, 3.2)
