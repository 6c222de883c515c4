"""Words into lines, lines into a block of ink."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from restore_rt.training.lettering.fonts import Font

__all__ = ["Block", "break_lines", "set_block", "set_columns"]

F64 = NDArray[np.float64]
# What is drawn in one go, and where its baseline starts from the line's start.
Run = tuple[float, float, str]


@dataclass(frozen=True)
class Block:
    """Lines of text, placed but not drawn yet, in px of the drawing.

    `quads` (lines, 4, 2) are the corners of each line's ink in (x, y) from the block's centre.
    """

    lines: tuple[str, ...]
    quads: F64
    _font: Font
    _runs: tuple[tuple[Run, ...], ...]
    _starts: F64
    _half: tuple[int, int]
    _halo: float
    _forward: F64 | None

    def draw(self) -> tuple[Image.Image, Image.Image | None]:
        """Draw the letters, and the letters with their outline if they have one.

        Both are of mode L, how much of each pixel is covered; their middle is the block's centre.
        """
        return self._layer(0.0), self._layer(self._halo) if self._halo > 0 else None

    def _layer(self, stroke: float) -> Image.Image:
        image = Image.new("L", (2 * self._half[0], 2 * self._half[1]))
        draw = ImageDraw.Draw(image)
        for runs, start in zip(self._runs, self._starts + self._half, strict=True):
            for x, y, text in runs:
                at = (float(start[0]) + x, float(start[1]) + y)
                draw.text(
                    at, text, fill=255, font=self._font, anchor="ls", stroke_width=round(stroke)
                )
        return image if self._forward is None else _bend(image, self._forward)


def break_lines(
    words: Sequence[str],
    font: Font,
    width: float,
    spacing: float,
    rng: np.random.Generator,
    *,
    gap: str = " ",
) -> list[str]:
    """Break words into lines of at most `width` px, the outer lines shorter as bubbles have it.

    `gap` stands between words. Where it is a space, a long word is hyphenated now and then. A
    single word longer than a line gets one for itself.
    """

    def width_of(text: str) -> float:
        return font.getlength(text) + spacing * len(text)

    space = width_of(gap)
    lengths = [width_of(word) for word in words]
    count = max(1, math.ceil((sum(lengths) + space * len(words)) / (0.85 * width)))
    lines: list[str] = []
    line, used = "", 0.0
    for word, length in zip(words, lengths, strict=True):
        at = abs(len(lines) - (count - 1) / 2) / max(1, count / 2)
        room = width * (1 - 0.35 * min(1.0, at) ** 2) - used
        if line and length + space > room:
            letters = [i for i in range(3, len(word) - 2) if word[i - 2 : i + 2].isalpha()]
            fits = [i for i in letters if gap and width_of(word[:i] + "-") + space < room]
            if fits and rng.random() < 0.3:
                lines.append(f"{line} {word[: fits[-1]]}-")
                word = word[fits[-1] :]
                length = width_of(word)
            else:
                lines.append(line)
            line, used = word, length
        else:
            line = f"{line}{gap}{word}" if line else word
            used += length + space
    return [*lines, line]


def set_columns(lines: Sequence[str], font: Font, *, leading: float, halo: float = 0.0) -> Block:
    """Place `lines` as columns, the first one rightmost, in a font at the drawing's resolution.

    `leading` is the distance of columns and `halo` the width of the letters' outline, in px.
    """
    pitch = 1.08 * font.size
    runs = [_column(line, font, pitch) for line in lines]
    height = pitch * max(len(line) for line in lines)
    across = leading * (np.arange(len(lines))[::-1] - (len(lines) - 1) / 2)
    # From the columns' top to the first baseline.
    starts: F64 = np.stack([across, np.full(len(lines), 0.88 * font.size - height / 2)], axis=1)
    boxes = np.array([_bounds(run, font) for run in runs]) + np.tile(starts, 2)
    half = np.ceil(np.abs(boxes).reshape(-1, 2).max(axis=0) + halo + 2)
    corners: F64 = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    size = (int(half[0]), int(half[1]))
    return Block(tuple(lines), corners, font, tuple(runs), starts, size, halo, None)


def _column(line: str, font: Font, pitch: float) -> tuple[Run, ...]:
    """Place letters below each other, punctuation as columns have it."""
    runs = []
    for index, character in enumerate(line):
        shown = "|" if character == "\u30fc" else character
        x, y = -font.getlength(shown) / 2, pitch * index
        if shown in "\u3001\u3002":
            x, y = x + 0.55 * font.size, y - 0.55 * font.size
        runs.append((x, y, shown))
    return tuple(runs)


def set_block(
    lines: Sequence[str],
    font: Font,
    *,
    cap: float,
    leading: float,
    spacing: float = 0.0,
    align: float = 0.5,
    halo: float = 0.0,
    bounce: Sequence[float] = (0.0,),
    turn: float = 0.0,
    slant: float = 0.0,
) -> Block:
    """Place `lines` of text, from the top, in a font at the drawing's resolution.

    `cap`, `leading`, `spacing` and `halo` are the height of capitals, the distance of baselines,
    extra space between letters and the width of the letters' outline, in px. `align` is 0 for flush
    left, 0.5 for centred, 1 for flush right. `bounce` is how far letters stand above (negative) or
    below the baseline in px, one after another and from the start again; `turn` the rotation in
    degrees counter-clockwise; `slant` the shift to the right per px of height, as in an oblique
    face.
    """
    loose = bool(spacing) or any(bounce)
    runs = [_runs(line, font, spacing, bounce) if loose else ((0.0, 0.0, line),) for line in lines]
    widths = np.array([run[-1][0] + font.getlength(run[-1][2]) for run in runs])
    baselines = leading * np.arange(len(lines)) - (leading * (len(lines) - 1) - cap) / 2
    # Each line is to be slanted about its own middle, not about the block's.
    shifts = slant * (baselines - cap / 2) - widths.max() / 2
    starts: F64 = np.stack([(widths.max() - widths) * align + shifts, baselines], axis=1)
    boxes = np.array([_bounds(run, font) for run in runs]) + np.tile(starts, 2)
    # About the middle alike on both sides, so that the image's centre is the block's.
    half = np.ceil(np.abs(boxes).reshape(-1, 2).max(axis=0) + halo + 2)
    corners: F64 = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    forward: F64 | None = None
    if turn or slant:
        angle = math.radians(-turn)
        rotate = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        forward = np.array(rotate) @ np.array([[1.0, -slant], [0.0, 1.0]])
        corners = corners @ forward.T
    size = (int(half[0]), int(half[1]))
    return Block(tuple(lines), corners, font, tuple(runs), starts, size, halo, forward)


def _runs(line: str, font: Font, spacing: float, bounce: Sequence[float]) -> tuple[Run, ...]:
    """Place each letter of a line by itself; kerning is lost, as in lettering by hand."""
    runs, x = [], 0.0
    for index, character in enumerate(line):
        runs.append((x, bounce[index % len(bounce)], character))
        x += font.getlength(character) + spacing
    return tuple(runs)


def _bounds(runs: Sequence[Run], font: Font) -> tuple[float, float, float, float]:
    boxes = [(x, y, font.getbbox(text, anchor="ls")) for x, y, text in runs if text != " "]
    return (
        min(x + box[0] for x, _, box in boxes),
        min(y + box[1] for _, y, box in boxes),
        max(x + box[2] for x, _, box in boxes),
        max(y + box[3] for _, y, box in boxes),
    )


def _bend(image: Image.Image, forward: F64) -> Image.Image:
    """Slant and turn about the centre, on a canvas that holds the result."""
    old = np.array(image.size)
    new = np.ceil(np.abs(forward) @ old).astype(int)
    back = np.linalg.inv(forward)
    shift = old / 2 - back @ (new / 2)
    matrix = tuple(float(v) for v in (*back[0], shift[0], *back[1], shift[1]))
    size = (int(new[0]), int(new[1]))
    return image.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
