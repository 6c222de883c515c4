"""Artwork for pages that have no picture behind them: panels of flat colour, ink and screentone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from restore_rt.training.lettering.screentone import screentone

__all__ = ["draw_artwork"]

F64 = NDArray[np.float64]
Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]
Rng = np.random.Generator
Draw = ImageDraw.ImageDraw
Size = tuple[int, int]


def draw_artwork(rng: Rng, height: int, width: int, scale: int) -> Image.Image:
    """Draw a piece of a page, `scale` times as large as it will be, as RGB.

    It has one to a few panels in colour or in black and white, with gutters, in some pages none.
    """
    manga = rng.random() < 0.35
    gutter: Colour = (255, 255, 255)
    if rng.random() < 0.25:
        gutter = (0, 0, 0) if rng.random() < 0.3 else _grey(int(rng.integers(235, 256)))
    canvas = Image.new("RGB", (width * scale, height * scale), gutter)
    draw = ImageDraw.Draw(canvas)
    ink = _grey(int(rng.integers(0, 41)))
    border = round(scale * float(rng.choice([0, 1, 1.5, 2, 3, 4])))
    for box in _panels(rng, width * scale, height * scale, scale):
        left, top, right, bottom = box
        if right - left < 2 or bottom - top < 2:
            continue
        panel = _panel(rng, (right - left, bottom - top), scale, manga)
        canvas.paste(panel, (left, top))
        if border:
            draw.rectangle((left, top, right - 1, bottom - 1), outline=ink, width=border)
    return canvas


def _grey(level: int) -> Colour:
    return (level, level, level)


def _palette(rng: Rng, manga: bool) -> list[Colour]:
    """Return the colours of a panel: black, white and greys, or tones that go together."""
    if manga:
        return [_grey(int(g)) for g in rng.choice([0, 20, 128, 190, 220, 255, 255, 255], 5)]
    # Mostly muted, as painted pages are: one light for the panel, and its objects' own hues.
    light = rng.uniform(40, 215, 3) * 0.4 + rng.uniform(30, 220) * 0.6
    hues = rng.uniform(-1, 1, (6, 3)) * rng.uniform(10, 80, (6, 1)) + rng.uniform(-60, 60, (6, 1))
    tints = np.clip(light + hues, 0, 255).astype(int)
    return [(int(r), int(g), int(b)) for r, g, b in tints]


def _panels(rng: Rng, width: int, height: int, scale: int) -> list[Box]:
    """Cut the page by up to two gutters; panels may run off its edges."""
    boxes: list[Box] = [(0, 0, width, height)]
    gap = int(rng.integers(4, 16)) * scale
    for _ in range(int(rng.integers(0, 3))):
        left, top, right, bottom = boxes.pop(int(rng.integers(len(boxes))))
        if rng.random() < 0.6:
            cut = int(rng.uniform(0.1, 0.9) * (bottom - top)) + top
            boxes += [(left, top, right, cut), (left, cut + gap, right, bottom)]
        else:
            cut = int(rng.uniform(0.1, 0.9) * (right - left)) + left
            boxes += [(left, top, cut, bottom), (cut + gap, top, right, bottom)]
    return boxes


def _panel(rng: Rng, size: Size, scale: int, manga: bool) -> Image.Image:
    palette = _palette(rng, manga)
    ink = _grey(int(rng.integers(0, 41)))
    chance = rng.random()
    if manga:
        paper = _grey(int(rng.integers(0, 30)) if chance < 0.2 else 255)
        panel = Image.new("RGB", size, paper)
        if chance > 0.75:
            panel.paste(ink, (0, 0), screentone(rng, size, scale))
    elif chance < 0.2:
        panel = Image.new("RGB", size, palette[0])
    else:
        panel = _wash(rng, size, scale, palette)
    # About a shape for the area that a word takes, so that no page is bare or crowded.
    shapes = 1 + size[0] * size[1] / (scale * 70) ** 2
    for _ in range(int(rng.integers(1, 2 + min(12, int(shapes))))):
        _shape(rng, panel, scale, ink, palette, 0.6 if manga else 0.12)
    draw = ImageDraw.Draw(panel)
    for _ in range(int(rng.integers(0, 4))):
        (_hatching, _strokes, _speed_lines)[int(rng.choice(3, p=(0.4, 0.4, 0.2)))](
            rng, draw, size, scale, ink
        )
    return panel


def _wash(rng: Rng, size: Size, scale: int, palette: Sequence[Colour]) -> Image.Image:
    """Let colours run into each other, from a grid of a few, plain or as clouds."""
    grid = 2 if rng.random() < 0.5 else int(rng.integers(3, 7))
    first, second = (np.array(palette[int(i)]) for i in rng.integers(0, len(palette), 2))
    mix = rng.uniform(0, 0.6, (grid, grid, 1))
    tints = np.clip(first + (second - first) * mix + rng.uniform(-8, 8, (grid, grid, 3)), 0, 255)
    small = Image.fromarray(np.rint(tints).astype(np.uint8))
    inner = (0.5, 0.5, grid - 0.5, grid - 0.5)
    plain = (-(-size[0] // scale), -(-size[1] // scale))
    smooth = small.resize(plain, Image.Resampling.BILINEAR, box=inner)
    # A page's pixel of colour is enough; what is enlarged so is quick.
    large = smooth.resize((plain[0] * scale, plain[1] * scale), Image.Resampling.NEAREST)
    return large.crop((0, 0, *size))


def _blob(rng: Rng, size: Size, scale: int) -> F64:
    """Return the outline of a shape somewhere on the panel, angular or round: (N, 2)."""
    points = int(rng.integers(3, 9))
    angle = np.sort(rng.uniform(0, 2 * math.pi, points))
    radius = rng.uniform(0.4, 1, points) * rng.uniform(12, 100) * scale
    if rng.random() < 0.8:
        fine = np.linspace(0, 2 * math.pi, 60, endpoint=False)
        radius = np.interp(fine, angle, radius, period=2 * math.pi)
        kernel = np.hanning(13) / np.hanning(13).sum()
        radius = np.convolve(np.concatenate([radius[-6:], radius, radius[:6]]), kernel, "valid")
        angle = fine
    stretch = np.exp(rng.normal(0, 0.3, 2))
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring: F64 = rng.uniform(0, 1, 2) * size + unit * stretch * radius[:, None]
    return ring


def _shape(
    rng: Rng, panel: Image.Image, scale: int, ink: Colour, palette: Sequence[Colour], tones: float
) -> None:
    """Fill a blob with flat colour or screentone, and ink its outline."""
    ring = _blob(rng, panel.size, scale)
    draw = ImageDraw.Draw(panel)
    colour = palette[int(rng.integers(len(palette)))]
    flat = ring.ravel().tolist()
    low = np.maximum(np.floor(ring.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(ring.max(axis=0)) + 1, panel.size).astype(int)
    if (high > low).all() and rng.random() < tones:
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        if min(palette, key=sum) == max(palette, key=sum) or rng.random() < 0.6:
            draw.polygon(flat, fill=(255, 255, 255))
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon((ring - low).ravel().tolist(), fill=255)
        dots = ImageChops.multiply(screentone(rng, size, scale), mask)
        panel.paste(ink, (int(low[0]), int(low[1])), dots)
    else:
        draw.polygon(flat, fill=colour)
    if rng.random() < 0.75:
        _pen(draw, ring, rng.uniform(0.7, 4) * scale, rng, ink, closed=True)


def _pen(
    draw: Draw, points: F64, width: float, rng: Rng, ink: Colour, closed: bool = False
) -> None:
    """Draw a line through (N, 2) points, as a ribbon that swells and thins along its way."""
    if closed:
        points = np.concatenate([points, points[:1]])
    along = np.gradient(points, axis=0)
    if closed:
        along[0] = along[-1] = points[1] - points[-2]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)[:, None]
    waves = rng.integers(1, 3) if closed else rng.uniform(0.5, 2)
    turn = rng.uniform(0, 2 * math.pi) + np.linspace(0, 2 * math.pi * waves, len(points))
    half = 0.5 * width * (1 - rng.uniform(0, 0.7) * (0.5 + 0.5 * np.sin(turn)))
    if not closed:
        half *= np.minimum(1, np.linspace(0.2, 4, len(points))[::-1])
    reach = across * np.maximum(half, 0.5)[:, None]
    ribbon = np.concatenate([points + reach, (points - reach)[::-1]])
    draw.polygon(ribbon.ravel().tolist(), fill=ink)


def _strokes(rng: Rng, draw: Draw, size: Size, scale: int, ink: Colour) -> None:
    for _ in range(int(rng.integers(2, 7))):
        t = np.linspace(0, 1, 24)[:, None]
        a, b, c = rng.uniform(-0.1, 1.1, (3, 2)) * size
        curve = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
        _pen(draw, curve, rng.uniform(0.7, 4) * scale, rng, ink)


def _hatching(rng: Rng, draw: Draw, size: Size, scale: int, ink: Colour) -> None:
    centre = rng.uniform(0, 1, 2) * size
    length = rng.uniform(10, 45) * scale
    gap = rng.uniform(2.5, 6) * scale
    width = max(1, round(rng.uniform(0.5, 1.6) * scale))
    count = int(rng.integers(6, 24))
    for turn in rng.uniform(0, math.pi, int(rng.integers(1, 3))):
        along = np.array([math.cos(turn), math.sin(turn)])
        across = np.array([-along[1], along[0]])
        for index in range(count):
            middle = centre + across * gap * (index - count / 2) + rng.uniform(-1, 1, 2) * scale
            half = along * length * rng.uniform(0.35, 0.6)
            a, b = middle - half, middle + half
            draw.line((float(a[0]), float(a[1]), float(b[0]), float(b[1])), fill=ink, width=width)


def _speed_lines(rng: Rng, draw: Draw, size: Size, scale: int, ink: Colour) -> None:
    centre = rng.uniform(0.2, 0.8, 2) * size
    far = float(max(size)) * 1.2
    for turn in rng.uniform(0, 2 * math.pi, int(rng.integers(12, 50))):
        out = np.array([math.cos(turn), math.sin(turn)])
        near = centre + out * rng.uniform(0.3, 0.6) * far
        end = centre + out * far
        side = np.array([-out[1], out[0]]) * rng.uniform(0.5, 3) * scale
        tip, a, b = (tuple(map(float, v)) for v in (near, end + side, end - side))
        draw.polygon((tip, a, b), fill=ink)
