"""The other panels of the page; each fills its canvas, measured in units from its top left."""

from __future__ import annotations

import numpy as np

from clip.canvas import CORAL, CREAM, INK, MUSTARD, NIGHT, TEAL, Canvas, mix
from clip.cat import cat
from clip.curves import arc, blob, ellipse, path, place, rectangle, rounded, spline
from clip.keeper import robot
from clip.lettering import shout
from clip.lighthouse import fresnel

__all__ = ["flash", "polish", "shelf", "study"]


def study(canvas: Canvas) -> None:
    """Draw the keeper before a sea chart (580 by 652)."""
    w, h = canvas.width, canvas.height
    canvas.vertical([(0, (34, 84, 104)), (1, (22, 46, 76))], None)
    for x in np.arange(-6, w, 74):
        canvas.line([(x, 0), (x, h)], mix(NIGHT, INK, 0.4), 2)
        canvas.line([(x + 4, 0), (x + 4, h)], mix(TEAL, NIGHT, 0.3), 1)
        for k in range(3):
            grain = [(x + 18 + 16 * k + 5 * np.sin(y / 70 + k + x), y) for y in np.arange(0, h, 12)]
            canvas.line(grain, mix(TEAL, NIGHT, 0.62), 1)
    _chart(canvas)
    canvas.halftone(lambda x, y: (y - 360) / 560 + (x - 300) / 2500, (14, 26, 54), pitch=9)
    robot(canvas, (188, 452), 136, look=(0.5, -0.25), turn=3)


def _chart(canvas: Canvas) -> None:
    """Pin a chart with grid, depth contours, soundings and compass rose to the wall."""
    x, y, w, h = 206.0, 36.0, 346.0, 296.0
    sheet = rectangle(x, y, w, h)
    canvas.fill(place(sheet, (7, 8)), (16, 34, 58))
    canvas.shape(sheet, (244, 232, 200), 2.4)
    with canvas.clipped(sheet):
        land = blob("500,20 600,20 600,250 560,230 530,160 470,120 460,70")
        for k in range(6, 0, -1):
            shelf = place(land - (560, 130), (560, 130), 1 + 0.17 * k)
            canvas.fill(shelf, mix((150, 204, 206), (244, 232, 200), k / 6.5))
            canvas.line(np.concatenate([shelf, shelf[:1]]), TEAL, 0.9)
        canvas.shape(land, (226, 196, 128), 1.6)
        for k in range(1, 16):
            canvas.line([(x + w * k / 16, y), (x + w * k / 16, y + h)], (150, 120, 96), 0.6)
            canvas.line([(x, y + h * k / 14), (x + w, y + h * k / 14)], (150, 120, 96), 0.6)
        rng = np.random.default_rng(5)
        for a, b, depth in rng.random((46, 3)):
            canvas.type(
                f"{3 + 40 * depth * (1 - a * 0.7):.0f}", x + 14 + a * 260, y + 60 + b * 226, 9
            )
        cx, cy = x + 76, y + 100
        canvas.line(np.concatenate([ring := ellipse((cx, cy), 46), ring[:1]]), CORAL, 1.2)
        for k in range(72):
            c, s = np.cos(k * np.pi / 36), np.sin(k * np.pi / 36)
            inner = 38 if k % 6 == 0 else 42
            canvas.line([(cx + c * inner, cy + s * inner), (cx + c * 46, cy + s * 46)], CORAL, 0.7)
        for k in range(8):
            a = k * np.pi / 4
            r = 36 if k % 2 == 0 else 22
            tip = (cx + r * np.cos(a), cy + r * np.sin(a))
            for side, tone in ((1, INK), (-1, CORAL)):
                b = a + side * np.pi / 8
                canvas.fill([(cx, cy), tip, (cx + 8 * np.cos(b), cy + 8 * np.sin(b))], tone)
    canvas.line(
        [
            (x + 6, y + 6),
            (x + w - 6, y + 6),
            (x + w - 6, y + h - 6),
            (x + 6, y + h - 6),
            (x + 6, y + 6),
        ],
        INK,
        0.9,
    )
    canvas.type("CHART 35 · OUTER APPROACHES", x + 22, y + 27, 13, INK, bold=0.3)
    canvas.type("Soundings in fathoms. Surveyed at low water.", x + 22, y + 42, 8.5)
    for px, py in ((x + 8, y + 8), (x + w - 8, y + 8)):
        canvas.outlined_disc(px, py, 6, CORAL, 1.6)


def shelf(canvas: Canvas) -> None:
    """Draw the cat by the window on a pile of books (582 by 652)."""
    w = canvas.width
    canvas.vertical([(0, (250, 200, 96)), (1, (236, 130, 72))], None)
    canvas.halftone(lambda x, y: (y - 90) / 900 + (w - x) / 2600, CORAL, pitch=10, angle=30)
    pane = rounded(292, 96, 240, 330, 118)
    canvas.shape(place(pane - (412, 261), (412, 261), 1.1), (140, 84, 58), 3.4)
    canvas.fill(pane, (30, 56, 104))
    with canvas.clipped(pane):
        canvas.vertical([(0, (20, 30, 70)), (1, (88, 150, 170))], (292, 96, 240, 330))
        canvas.disc(470, 180, 34, (250, 232, 176))
        rng = np.random.default_rng(2)
        for a, b in rng.random((30, 2)):
            canvas.disc(292 + 240 * a, 96 + 240 * b, 1.3, CREAM)
        for k in range(26):
            canvas.line(
                [(292 + 22 * k - 160, 440), (292 + 22 * k - 20, 90)], mix(NIGHT, TEAL, 0.6), 0.8
            )
    canvas.ink(pane, 3)
    for x in (372, 452):
        canvas.line([(x, 98), (x, 425)], (140, 84, 58), 6)
    canvas.line([(292, 250), (532, 250)], (140, 84, 58), 6)
    canvas.shape(rectangle(-10, 596, w + 20, 70), (120, 66, 52), 3.4)
    for k in range(5):
        canvas.line(
            spline(
                [(0, 606 + k * 11), (200, 610 + k * 10), (420, 604 + k * 11), (w, 609 + k * 10)]
            ),
            (84, 42, 40),
            1.1,
        )
    books = (
        (44, 552, 330, 44, TEAL, "OPTICS FOR KEEPERS", 22),
        (70, 514, 282, 38, CORAL, "TIDES & CURRENTS 1871", 18),
        (36, 482, 320, 32, NIGHT, "A Short History of Fog, vol. II", 16),
    )
    for x, y, bw, bh, tone, title, size in books:
        canvas.shape(rounded(x, y, bw, bh, 5), tone, 3)
        for k in (12, 18, bw - 16, bw - 22):
            canvas.line([(x + k, y + 2), (x + k, y + bh - 2)], MUSTARD, 1.6)
        canvas.type(title, x + bw / 2, y + bh / 2, size, CREAM, anchor="mm")
    cat(canvas, (188, 246), 76)
    mug = rounded(430, 530, 70, 68, 8)
    canvas.line(np.concatenate([ring := ellipse((504, 562), (20, 20)), ring[:1]]), INK, 13)
    canvas.line(np.concatenate([ring, ring[:1]]), CREAM, 7)
    canvas.shape(mug, CREAM, 3)
    for k in range(4):
        canvas.line([(432, 545 + 12 * k), (498, 545 + 12 * k)], TEAL, 3)
    for k in range(3):
        steam = [
            (448 + 18 * k + 7 * np.sin(t * 5 + k), 520 - 60 * t) for t in np.linspace(0, 1, 24)
        ]
        canvas.brush(steam, 4, CREAM)


def polish(canvas: Canvas) -> None:
    """Draw a mitten that polishes the lens (450 by 700)."""
    h = canvas.height
    canvas.vertical([(0, (60, 150, 150)), (1, (24, 62, 96))], None)
    canvas.halftone(lambda x, y: y / h * 0.9 - 0.1 + 0 * x, (20, 44, 82), pitch=10, angle=60)
    x, y, r = 196.0, 402.0, 218.0
    fresnel(canvas, (x, y), r, turn=8)
    sleeve = path("520,330 640,330 640,640 330,500 380,400")
    canvas.shape(sleeve, NIGHT, 3.6)
    with canvas.clipped(sleeve):
        for k in range(22):
            canvas.line([(340 + 12 * k, 300), (400 + 12 * k, 680)], mix(NIGHT, TEAL, 0.5), 1)
    canvas.shape(path("372,392 408,412 356,516 320,494"), MUSTARD, 3.2)
    cloth = blob("196,392 250,360 300,392 306,452 270,512 214,520 186,470")
    canvas.shape(cloth, (250, 248, 238), 3)
    for k in range(4):
        canvas.brush(
            spline([(214 + 20 * k, 400 + 6 * k), (224 + 18 * k, 440), (212 + 20 * k, 496 - 4 * k)]),
            2.6,
        )
    mitten = blob("372,404 330,372 276,380 246,412 268,436 252,462 276,482 300,500 340,500")
    canvas.shape(mitten, CORAL, 3.6)
    for a in ("270,436 296,432 316,440", "276,482 296,470 316,472"):
        canvas.brush(spline(path(a)), 3.4)
    for k, radius in enumerate((118, 140, 162)):
        canvas.brush(arc((262, 440), radius, 190 + 4 * k, 248 - 6 * k, 24), 5, CREAM)
    for sx, sy, s in ((70, 240, 30), (140, 530, 22), (44, 430, 16), (300, 230, 20)):
        star = [
            ((1, 0.16)[k % 2] * np.cos(k * np.pi / 4), (1, 0.16)[k % 2] * np.sin(k * np.pi / 4))
            for k in range(8)
        ]
        canvas.shape(place(star, (sx, sy), s), (255, 255, 250), 1.6)
    shout(canvas, "SQUEAK!", (262, 172), 58, CREAM, edge=NIGHT, turn=-9, arch=0.2)
    shout(canvas, "SQUEAK", (176, 642), 40, MUSTARD, edge=NIGHT, turn=5)


def flash(canvas: Canvas, time: float, *, pop: float = 1.0) -> None:
    """Draw the light coming on: rays turn with ``time``, the word grows with ``pop``.

    The scene adapts to the canvas: a panel of 720 by 700 or a whole frame.
    """
    w, h = canvas.width, canvas.height
    x, y = w * 0.5, h * 0.56
    far = np.hypot(w, h)
    canvas.vertical([(0, (255, 214, 92)), (1, (250, 150, 70))], None)
    for k in range(24):
        a = np.radians(15 * k + time * 14)
        b = a + np.radians(7.5)
        canvas.fill(
            [
                (x, y),
                (x + far * np.cos(a), y + far * np.sin(a)),
                (x + far * np.cos(b), y + far * np.sin(b)),
            ],
            CREAM,
        )
    canvas.halftone(
        lambda u, v: np.hypot(u - x, v - y) / far * 1.3 - 0.42, CORAL, pitch=11, angle=20
    )
    canvas.wash(
        lambda u, v: 1.1 * np.exp(-(((u - x) ** 2 + (v - y) ** 2) / (h * 0.42) ** 2)),
        (255, 255, 244),
    )
    rng = np.random.default_rng(round(time * 12))
    for share, start, thick in rng.random((120, 3)):
        a = 2 * np.pi * share
        c, s = np.cos(a), np.sin(a)
        near = h * (0.36 + 0.3 * start) / max(0.35, float(np.hypot(c * h / w, s)))
        side = 1.0 + 2.6 * thick
        canvas.fill(
            [
                (x + c * near, y + s * near),
                (x + c * far - s * side * 3, y + s * far + c * side * 3),
                (x + c * far + s * side * 3, y + s * far - c * side * 3),
            ],
            INK,
        )
    shake = 3 * np.sin(time * 47) * max(0.0, 1 - time * 1.2)
    robot(
        canvas,
        (x - h * 0.13 + shake, h * 0.66),
        h * 0.185,
        amazed=True,
        look=(0.1, -0.35),
        turn=-5 + shake,
    )
    cat(canvas, (x + h * 0.27, h * 0.76 - shake), h * 0.1, amazed=True)
    shout(
        canvas,
        "FLASH!",
        (w * 0.52, h * 0.2),
        min(h * 0.185, w * 0.148) * pop,
        MUSTARD,
        turn=-6,
        arch=0.2,
        edge=INK,
    )
