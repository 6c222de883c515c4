"""The keeper of the light, a robot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clip.canvas import CORAL, CREAM, INK, MUSTARD, NIGHT, TEAL, Canvas, Colour, mix
from clip.curves import Points, arc, blob, curve, ellipse, place, rounded

__all__ = ["robot"]

_SHELL: Colour = (106, 184, 186)
_SHELL_SHADE: Colour = (62, 132, 146)
_STEEL: Colour = (196, 204, 208)


_Placer = Callable[[Points], Points]


def robot(
    canvas: Canvas,
    centre: Sequence[float],
    size: float,
    *,
    look: Sequence[float] = (0.0, 0.0),
    amazed: bool = False,
    turn: float = 0.0,
) -> None:
    """Draw the keeper from the chest up: middle of the head at ``centre``, half its width ``size``.

    ``look`` moves the iris, each part -1 to 1; ``amazed`` opens eye and mouth.
    """
    line = max(2.2, size * 0.026)

    def at(points: Points) -> Points:
        return place(points, centre, size, turn=turn)

    def spot(x: float, y: float) -> tuple[float, float]:
        p = at(np.array([(x, y)]))[0]
        return float(p[0]), float(p[1])

    _torso(canvas, at, line)

    for side in (-1, 1):
        ear = rounded(side * 1.1 - 0.16, -0.32, 0.32, 0.7, 0.12)
        canvas.shape(at(ear), CORAL, line)
        for y in (-0.14, 0.03, 0.2):
            canvas.line(
                at(np.array([(side * 1.1 - 0.1, y), (side * 1.1 + 0.1, y)])), width=line / 2
            )
    head = rounded(-1, -0.78, 2, 1.56, 0.52)
    canvas.fill(at(head), _SHELL)
    with canvas.clipped(at(head)):
        canvas.fill(at(blob("-1.2,.5 0,.62 .62,.1 .8,-1 1.4,-1 1.4,1.2 -1.2,1.2")), _SHELL_SHADE)
        canvas.halftone(
            lambda x, y: (x - centre[0]) / size * 0.42 + (y - centre[1]) / size * 0.3 + 0.12,
            _SHELL_SHADE,
            pitch=max(6.0, size * 0.055),
            box=(centre[0] - size * 1.3, centre[1] - size * 1.3, size * 2.6, size * 2.6),
        )
        canvas.fill(
            at(blob("-.86,.1 -.84,-.4 -.5,-.66 -.62,-.5 -.76,-.3")), mix(_SHELL, CREAM, 0.75)
        )
    canvas.ink(at(head), line * 1.3)
    for x, y in ((-0.8, 0.52), (0.8, 0.52), (0.82, -0.5)):
        canvas.disc(*spot(x, y), size * 0.035, INK)

    _cap(canvas, at, line)
    _eye(canvas, spot, size, line, look, amazed)

    if amazed:
        mouth = ellipse((0, 0.61), (0.15, 0.1))
        canvas.shape(at(mouth), mix(CORAL, INK, 0.45), line)
    else:
        grill = rounded(-0.34, 0.51, 0.68, 0.19, 0.1)
        canvas.shape(at(grill), mix(_STEEL, INK, 0.1), line * 0.8)
        for x in np.linspace(-0.26, 0.26, 9):
            canvas.line(at(np.array([(x, 0.54), (x, 0.67)])), width=line * 0.4)


def _torso(canvas: Canvas, at: _Placer, line: float) -> None:
    body = blob("-.72,.95 .72,.95 1.02,1.5 1.1,2.6 -1.1,2.6 -1.02,1.5")
    canvas.fill(at(body), NIGHT)
    with canvas.clipped(at(body)):
        canvas.fill(
            at(np.array([(0.25, 0.8), (1.3, 0.8), (1.3, 2.8), (0.5, 2.8)])), mix(NIGHT, INK, 0.5)
        )
        for i in range(16):
            x = -1.1 + i * 0.075
            canvas.line(
                at(np.array([(x, 2.6), (x + 0.22, 1.0)])), mix(NIGHT, TEAL, 0.55), line * 0.35
            )
    canvas.ink(at(body), line * 1.2)
    for y in (1.45, 1.8, 2.15):
        canvas.shape(at(ellipse((0.12, y), 0.075, 40)), MUSTARD, line * 0.7)
    scarf = blob("-.78,.62 0,.76 .78,.62 .88,.98 0,1.22 -.88,.98")
    tail = blob(".35,1.05 .68,1.0 .86,1.7 .78,1.86 .5,1.8")
    for part in (tail, scarf):
        canvas.shape(at(part), CORAL, line)
    for x in np.linspace(-0.6, 0.6, 9):
        canvas.brush(
            at(np.array([(x, 0.84 + 0.1 * (1 - x * x)), (x + 0.03, 0.98), (x + 0.02, 1.1)])),
            line * 0.9,
            mix(CORAL, INK, 0.6),
        )


def _cap(canvas: Canvas, at: _Placer, line: float) -> None:
    crown = blob("-.74,-.72 -.92,-1.06 -.5,-1.36 .1,-1.4 .72,-1.3 .96,-1.0 .74,-.72 0,-.66")
    canvas.fill(at(crown), CREAM)
    with canvas.clipped(at(crown)):
        canvas.fill(at(blob(".3,-1.5 .5,-1.1 .2,-.6 1.3,-.5 1.3,-1.5")), mix(CREAM, TEAL, 0.32))
    canvas.ink(at(crown), line)
    band = blob("-.76,-.92 0,-.84 .76,-.92 .76,-.68 0,-.58 -.76,-.68")
    canvas.shape(at(band), NIGHT, line)
    peak = blob("-.6,-.64 0,-.58 .6,-.64 .5,-.46 0,-.38 -.5,-.46")
    canvas.shape(at(peak), INK, line * 0.6)
    canvas.brush(at(curve("-.4,-.54 0,-.49 .3,-.53")), line, mix(INK, CREAM, 0.6))
    canvas.shape(at(ellipse((0, -0.86), 0.15, 40)), MUSTARD, line * 0.8)
    star = [
        (
            (0.1, 0.045)[i % 2] * np.sin(i * np.pi / 5),
            -0.86 - (0.1, 0.045)[i % 2] * np.cos(i * np.pi / 5),
        )
        for i in range(10)
    ]
    canvas.fill(at(np.array(star)), INK)


def _eye(
    canvas: Canvas,
    spot: Callable[[float, float], tuple[float, float]],
    size: float,
    line: float,
    look: Sequence[float],
    amazed: bool,
) -> None:
    """One big lens: rim, glass, iris, catch light."""
    x, y = spot(0, -0.04)
    canvas.outlined_disc(x, y, size * 0.52, _STEEL, line * 1.2)
    for angle in np.radians(np.arange(0, 360, 9)):
        c, s = np.cos(angle), np.sin(angle)
        canvas.line(
            [
                (x + c * size * 0.46, y + s * size * 0.46),
                (x + c * size * 0.51, y + s * size * 0.51),
            ],
            width=line * 0.45,
        )
    canvas.outlined_disc(x, y, size * 0.435, (252, 250, 240), line)
    iris = size * (0.3 if amazed else 0.25)
    ix, iy = x + look[0] * size * 0.15, y + look[1] * size * 0.15
    canvas.outlined_disc(ix, iy, iris, MUSTARD, line * 0.8)
    for angle in np.radians(np.arange(0, 360, 12)):
        c, s = np.cos(angle), np.sin(angle)
        canvas.line(
            [
                (ix + c * iris * 0.6, iy + s * iris * 0.6),
                (ix + c * iris * 0.92, iy + s * iris * 0.92),
            ],
            mix(MUSTARD, CORAL, 0.8),
            line * 0.4,
        )
    canvas.disc(ix, iy, iris * (0.42 if amazed else 0.58), INK)
    canvas.disc(ix - iris * 0.3, iy - iris * 0.36, iris * 0.26, (255, 255, 255))
    canvas.disc(ix + iris * 0.3, iy + iris * 0.3, iris * 0.12, (255, 255, 255))
    if not amazed:
        lid = arc((x, y), size * 0.435, 202, 338, 40)
        canvas.fill(lid, _SHELL_SHADE)
        canvas.ink(lid, line * 0.9)
