"""The cat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clip.canvas import INK, Canvas
from clip.curves import Points, arc, blob, ellipse, place, spline

__all__ = ["cat"]


def cat(
    canvas: Canvas,
    centre: Sequence[float],
    size: float,
    *,
    amazed: bool = False,
    blink: bool = False,
) -> None:
    """Draw the cat, sitting; ``centre`` is the middle of its head, ``size`` half its width."""
    fur, dark, pale = (238, 150, 72), (188, 92, 46), (253, 226, 190)
    line = max(2.0, size * 0.036)

    def at(points: object) -> Points:
        return place(np.asarray(points, dtype=np.float64), centre, size)

    tail = blob("1.0,2.6 1.75,2.5 2.1,1.8 1.85,1.3 2.2,1.1 2.45,1.7 2.2,2.6 1.5,3.1")
    canvas.shape(at(tail), fur, line)
    for k in (1.5, 1.9, 2.3):
        canvas.brush(at([(1.9, k), (2.1, k + 0.07), (2.34, k + 0.02)]), line * 2.2, dark)
    body = blob("-.62,.6 .62,.6 1.02,1.7 1.15,2.9 .7,3.15 -.7,3.15 -1.15,2.9 -1.02,1.7")
    canvas.fill(at(body), fur)
    with canvas.clipped(at(body)):
        canvas.fill(at(blob("-.4,.6 .4,.6 .42,1.6 0,2.1 -.42,1.6")), pale)
        for k in (1.4, 1.8, 2.2):
            for side in (-1, 1):
                canvas.brush(
                    at([(side * 1.15, k), (side * 0.8, k + 0.1), (side * 0.55, k + 0.02)]),
                    line * 3.4,
                    dark,
                )
    canvas.ink(at(body), line * 1.2)
    for side in (-1, 1):
        canvas.shape(at(ellipse((side * 0.36, 3.0), (0.36, 0.24), 48)), pale, line)
        canvas.line(at([(side * 0.3, 3.04), (side * 0.3, 3.2)]), width=line * 0.6)
        canvas.line(at([(side * 0.44, 3.04), (side * 0.44, 3.2)]), width=line * 0.6)
        ear = [(side * 0.92, 0.0), (side * 0.98, -1.08), (side * 0.22, -0.66)]
        canvas.shape(at(ear), fur, line * 1.2)
        canvas.fill(
            at([(side * 0.82, -0.3), (side * 0.87, -0.84), (side * 0.46, -0.6)]), (240, 150, 140)
        )
    face = blob(
        "0,-.78 .6,-.68 .98,-.2 1.06,.28 .66,.66 0,.78 -.66,.66 -1.06,.28 -.98,-.2 -.6,-.68"
    )
    canvas.fill(at(face), fur)
    with canvas.clipped(at(face)):
        canvas.fill(at(ellipse((0, 0.56), (0.56, 0.4))), pale)
        for x in (-0.22, 0, 0.22):
            canvas.brush(at([(x, -0.9), (x * 0.9, -0.6), (x * 0.8, -0.36)]), line * 3, dark)
        for side in (-1, 1):
            for y in (0.02, 0.26):
                canvas.brush(
                    at([(side * 1.12, y), (side * 0.95, y + 0.05), (side * 0.78, y + 0.04)]),
                    line * 2.6,
                    dark,
                )
    canvas.ink(at(face), line * 1.3)
    for side in (-1, 1):
        x, y = at([(side * 0.42, 0.0)])[0]
        if blink:
            canvas.brush(at(arc((side * 0.42, 0.1), (0.25, 0.16), 200, 340, 20)), line * 2)
            continue
        canvas.shape(
            ellipse((x, y), (size * 0.27, size * (0.33 if amazed else 0.25))), (214, 230, 120), line
        )
        canvas.fill(
            ellipse((x, y), (size * (0.17 if amazed else 0.08), size * (0.25 if amazed else 0.23))),
            INK,
        )
        canvas.disc(x - size * 0.06, y - size * 0.1, size * 0.06, (255, 255, 255))
    canvas.shape(at([(-0.11, 0.3), (0.11, 0.3), (0, 0.43)]), (232, 120, 120), line * 0.8)
    if amazed:
        canvas.shape(at(ellipse((0, 0.58), (0.12, 0.11), 40)), (150, 50, 60), line * 0.8)
    else:
        for side in (-1, 1):
            canvas.brush(
                at(spline([(0, 0.43), (side * 0.06, 0.54), (side * 0.24, 0.54)])), line * 1.6
            )
    for side in (-1, 1):
        for k in (-0.1, 0.0, 0.1):
            canvas.brush(
                at(
                    spline(
                        [
                            (side * 0.4, 0.46 + k * 0.4),
                            (side * 1.0, 0.44 + k * 1.6),
                            (side * 1.5, 0.5 + k * 3),
                        ]
                    )
                ),
                line * 0.8,
            )
