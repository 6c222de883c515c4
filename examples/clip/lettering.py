"""Comic lettering: an alphabet of our own, drawn with a round pen, and what it is written on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from clip.canvas import CREAM, INK, Canvas, Colour
from clip.curves import Points, ellipse, place, rounded, spline, superellipse

__all__ = ["bubble", "caption", "shout", "text_width", "write"]

# Each glyph: advance width, then strokes parted by "|" on a grid whose cap height is 10.
# "~" makes a stroke a curve through its points, "o" an ellipse (x, y, rx, ry).
_GLYPHS: dict[str, tuple[float, str]] = {
    " ": (3.2, ""),
    "A": (7.0, "0,10 3.5,0 7,10|1.3,6.6 5.8,6.6"),
    "B": (5.9, "0,0 0,10|~0,0 3.6,.1 5.2,2.3 3.6,4.5 0,4.7|~0,4.7 4.3,4.9 5.9,7.3 4.2,9.8 0,10"),
    "C": (6.2, "~6,1.6 4.6,.2 2.6,.3 .6,2.4 0,5 .6,7.7 2.6,9.8 4.8,9.8 6.2,8.4"),
    "D": (6.4, "0,0 0,10|~0,0 3.4,.4 5.8,2.4 6.4,5 5.8,7.6 3.4,9.6 0,10"),
    "E": (5.4, "5.2,0 0,0 0,10 5.4,10|0,4.8 4.4,4.8"),
    "F": (5.2, "5.2,0 0,0 0,10|0,4.8 4.4,4.8"),
    "G": (
        6.6,
        "~6.2,1.7 4.8,.2 2.7,.3 .6,2.4 0,5 .6,7.7 2.7,9.8 4.8,9.8 6.5,8.6|6.5,9.6 6.5,5.5 4,5.5",
    ),
    "H": (6.0, "0,0 0,10|6,0 6,10|0,4.9 6,4.9"),
    "I": (0.4, ".2,0 .2,10"),
    "J": (4.6, "~4.6,0 4.6,7 4,9.2 2.2,10 .6,9.3 0,7.8"),
    "K": (5.9, "0,0 0,10|5.6,0 0,5.8|1.8,4.2 5.9,10"),
    "L": (5.0, "0,0 0,10 5,10"),
    "M": (8.0, "0,10 .9,0 4,7 7.1,0 8,10"),
    "N": (6.2, "0,10 0,0 6.2,10 6.2,0"),
    "O": (6.8, "o3.4,5 3.4,5"),
    "P": (5.7, "0,0 0,10|~0,0 4,.1 5.7,2.7 4,5.3 0,5.5"),
    "Q": (7.0, "o3.4,5 3.4,5|4.2,7.2 7,10.6"),
    "R": (6.0, "0,0 0,10|~0,0 4,.1 5.6,2.6 4,5.1 0,5.3|2.6,5.3 6,10"),
    "S": (
        5.7,
        "~5.4,1.5 4.2,.3 2.4,.1 .7,1.2 .6,3.1 2.2,4.5 4.3,5.4 5.6,7 5.3,8.9 3.6,10 1.6,9.8 0,8.5",
    ),
    "T": (6.4, "0,0 6.4,0|3.2,0 3.2,10"),
    "U": (6.0, "~0,0 0,5.8 .7,8.8 3,10 5.3,8.8 6,5.8 6,0"),
    "V": (6.6, "0,0 3.3,10 6.6,0"),
    "W": (9.2, "0,0 2.3,10 4.6,2.2 6.9,10 9.2,0"),
    "X": (6.2, "0,0 6.2,10|6.2,0 0,10"),
    "Y": (6.2, "0,0 3.1,5|6.2,0 3.1,5 3.1,10"),
    "Z": (6.0, "0,0 5.8,0 0,10 6,10"),
    ".": (0.6, ".3,9.8 .35,9.9"),
    ",": (1.0, ".7,9.6 0,11.6"),
    "!": (0.8, ".4,0 .4,6.6|.4,9.8 .45,9.9"),
    "?": (4.8, "~0,1.9 1.2,.3 3.1,.1 4.8,1.6 4.4,3.4 2.7,4.9 2.4,6.8|2.4,9.8 2.45,9.9"),
    "'": (0.6, ".4,0 .1,2.4"),
    "-": (3.4, "0,5.4 3.4,5.4"),
    "…": (5.2, ".3,9.8 .35,9.9|2.6,9.8 2.65,9.9|4.9,9.8 4.95,9.9"),
}
_GAP = 2.1
_LEADING = 1.52


def _glyph(letter: str) -> tuple[float, str]:
    if letter not in _GLYPHS:
        raise ValueError(f"no glyph for {letter!r}; the alphabet has {''.join(sorted(_GLYPHS))}")
    return _GLYPHS[letter]


@cache
def _strokes(letter: str) -> tuple[Points, ...]:
    """Strokes of a glyph with a cap height of 1."""
    result = []
    for stroke in filter(None, _glyph(letter)[1].split("|")):
        pairs = [[float(v) for v in pair.split(",")] for pair in stroke.strip("~o").split()]
        if stroke[0] == "o":
            points = ellipse(pairs[0], pairs[1], 40)
            points = np.concatenate([points, points[:1]])
        else:
            points = spline(pairs, steps=7) if stroke[0] == "~" else np.array(pairs)
        result.append(points / 10)
    return tuple(result)


def text_width(text: str, size: float) -> float:
    """Width of a line in units when its capitals are ``size`` units high."""
    return (sum(_glyph(c)[0] + _GAP for c in text) - _GAP) * size / 10


def write(
    canvas: Canvas,
    text: str,
    x: float,
    y: float,
    size: float,
    colour: Colour = INK,
    *,
    pen: float = 0.155,
    centred: bool = True,
    wobble: float = 1.0,
) -> None:
    """Letter lines (parted by a newline) from the top ``y``; ``pen`` is the stroke over the size.

    Every letter is turned and moved a little, always in the same way for the same text.
    """
    rng = np.random.default_rng(zlib.crc32(text.encode()))
    for row, line in enumerate(text.split("\n")):
        left = x - text_width(line, size) / 2 if centred else x
        for letter in line:
            turn, rise = rng.normal(0, 1.1, 2) * wobble
            origin = (left, y + row * size * _LEADING + rise * size / 90)
            for stroke in _strokes(letter):
                canvas.pen(place(stroke, origin, size, turn=turn), pen * size, colour)
            left += (_GLYPHS[letter][0] + _GAP) * size / 10


def shout(
    canvas: Canvas,
    text: str,
    centre: Sequence[float],
    size: float,
    colour: Colour,
    *,
    edge: Colour = INK,
    turn: float = 0.0,
    pen: float = 0.3,
    arch: float = 0.0,
    depth: float = 0.06,
) -> None:
    """Sound effect: fat letters with an edge and a drop, on a line turned by ``turn`` degrees."""
    width = text_width(text, size) + 0.16 * size * (len(text) - 1)
    letters: list[Points] = []
    left = -width / 2
    for i, letter in enumerate(text):
        share = (i + 0.5) / len(text) * 2 - 1
        lift = arch * size * share * share
        tilt = (-7.0, 5.0)[i % 2] * 0.6 + 16 * arch * share
        for stroke in _strokes(letter):
            glyph = place(stroke - (0, 0.5), (left, lift), size, turn=tilt)
            letters.append(place(glyph, centre, turn=turn))
        left += (_GLYPHS[letter][0] + _GAP) * size / 10 + 0.16 * size
    for step in np.linspace(1, 0, 8):
        for stroke in letters:
            canvas.pen(stroke + step * depth * size, (pen + 0.17) * size, edge)
    for stroke in letters:
        canvas.pen(stroke, pen * size, colour)


def bubble(
    canvas: Canvas,
    text: str,
    centre: Sequence[float],
    size: float,
    tip: ArrayLike,
    *,
    line: float = 3.2,
    colour: Colour = (255, 255, 252),
) -> None:
    """Speech bubble that fits its text; its tail points to ``tip``."""
    lines = text.split("\n")
    rx = max(text_width(part, size) for part in lines) * 0.5 + size * 1.35
    ry = (len(lines) * _LEADING - 0.5) * size * 0.5 + size * 1.2
    cx, cy = float(centre[0]), float(centre[1])
    outline = superellipse((cx, cy), (rx, ry), 2.7)
    goal = np.asarray(tip, dtype=np.float64)
    way = (goal - (cx, cy)) / np.hypot(*(goal - (cx, cy)))
    side = np.array([-way[1], way[0]]) * size * 0.62
    root = np.array([cx + way[0] * rx * 0.55, cy + way[1] * ry * 0.55])
    bend = side * 1.3
    tail = np.concatenate(
        [
            spline([root + side, (root + side + goal) / 2 + bend * 0.5, goal]),
            spline([goal, (root - side + goal) / 2 + bend * 0.5, root - side]),
        ]
    )
    canvas.ink(tail, line)
    canvas.shape(outline, colour, line)
    canvas.fill(tail, colour)
    canvas.fill(superellipse((cx, cy), (rx - line, ry - line), 2.7), colour)
    write(canvas, text, cx, cy - (len(lines) - 1) * _LEADING * size / 2 - size / 2, size)


def caption(
    canvas: Canvas,
    text: str,
    x: float,
    y: float,
    size: float,
    *,
    colour: Colour = CREAM,
    line: float = 2.6,
) -> None:
    """Narrator's box with its top left corner at (x, y)."""
    lines = text.split("\n")
    width = max(text_width(part, size) for part in lines) + 1.9 * size
    height = (len(lines) * _LEADING + 0.95) * size
    drop = place(rounded(x, y, width, height, 3), (size * 0.22, size * 0.22))
    canvas.fill(drop, INK)
    canvas.shape(rounded(x, y, width, height, 3), colour, line)
    write(canvas, text, x + 0.95 * size, y + 0.75 * size, size, centred=False)
