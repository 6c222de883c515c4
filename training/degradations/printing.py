"""Steps of print and paper: halftone screens, and scans of old pages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.training.colour import BT601
from restore_rt.training.degradations.optics import blur_kernel, convolved, to_bytes
from restore_rt.training.degradations.steps import Rgb, Step, choose, draw, register
from restore_rt.training.limits import one_of, span

__all__ = ["INKS", "Halftone", "Scan", "printed", "screened", "separated"]

F32 = NDArray[np.float32]
INKS = ("cmyk", "line", "grey")
# The classical angles of the screens for cyan, magenta, yellow and black, in degrees.
ANGLES = (15.0, 75.0, 0.0, 45.0)
# What is left of red, green and blue under solid cyan, magenta and yellow.
COLOURS = ((0.0, 0.68, 0.94), (0.93, 0.0, 0.65), (1.0, 0.95, 0.0))
BLACK = 0.12
# How much of red, green and blue old newsprint swallows.
NEWSPRINT = np.array([0.11, 0.19, 0.36])
# A screen is drawn at so many points along each axis of a pixel, and averaged.
POINTS = 2
TURN = (0.0, 2 * math.pi)
BICUBIC = Image.Resampling.BICUBIC


def _planes(frame: Rgb) -> F32:
    return np.ascontiguousarray(frame.transpose(2, 0, 1), np.float32) / np.float32(255)


def _luma(planes: F32) -> F32:
    red, green, blue = (np.float32(w) * plane for w, plane in zip(BT601, planes, strict=True))
    luma: F32 = red + green + blue
    return luma


@cache
def _dot_areas() -> F32:
    """Return, for heights 0..1 in steps of 1/1024, how much of a screen's cell lies above."""
    wave = np.cos(2 * np.pi * (np.arange(512) + 0.5) / 512)
    heights = np.sort(((wave[:, None] + wave[None, :] + 2) / 4).ravel())
    above = 1 - np.searchsorted(heights, np.linspace(0, 1, 1025)) / heights.size
    return above.astype(np.float32)


def screened(coverage: F32, *, pitch: float, angle: float, phase: tuple[float, float]) -> F32:
    """Turn tones into dots whose size says how dark they are; the mean tone stays.

    The dot is the classical one, a threshold on cos u + cos v: round where it is light, square in
    the middle, round holes where it is dark. Takes (H, W), 0 for paper to 1 for solid ink, and
    gives the share of each pixel under ink. `pitch` is from dot to dot, in pixels; the rows of dots
    lie at `angle`, in degrees; the screen begins at `phase`, in radians along its two axes.
    """
    # The rim is as soft as the points are apart: a dot's area changes by about 2.5 cells for each
    # pitch that its rim moves.
    soft = np.float32(min(2.5 / (pitch * POINTS), 1.0))
    # The level at which the soft threshold gives the wanted mean.
    small = np.minimum(coverage, 1 - coverage)
    level = np.where(small < soft / 2, np.sqrt(2 * soft * small) - soft / 2, small)
    level = np.where(coverage > 0.5, 1 - level, level) / soft + np.float32(0.5)
    areas = _dot_areas() / soft
    ink = np.zeros_like(coverage)
    for offset in np.ndindex(POINTS, POINTS):
        y, x = (
            (np.arange(length) + (start + 0.5) / POINTS) * (2 * np.pi / pitch)
            for start, length in zip(offset, coverage.shape, strict=True)
        )
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        height = _wave(sin * y, cos * x + phase[0]) + _wave(cos * y, -sin * x + phase[1])
        index = (height * 256 + 512.5).astype(np.int32)
        ink += np.clip(level - areas[index], 0, 1)
    return ink / np.float32(POINTS**2)


def _wave(down: NDArray[np.float64], across: NDArray[np.float64]) -> F32:
    """Return cos(down + across), (H, W), from its angles along the axes, (H,) and (W,)."""
    left = np.stack([np.cos(down), -np.sin(down)], axis=1).astype(np.float32)
    right = np.stack([np.cos(across), np.sin(across)]).astype(np.float32)
    return left @ right


def separated(rgb: F32, *, line: bool) -> F32:
    """Return how much cyan, magenta, yellow and black, (4, H, W), make (3, H, W), all 0 to 1.

    Black takes over part of what is dark, with `line` only what is nearly black. What the inks
    cannot mix comes as near as they can.
    """
    dark = 1 - rgb.max(axis=0)
    black = np.clip((dark - 0.6) / 0.25, 0, 1) if line else dark**2
    rest = rgb / (1 - black * (1 - BLACK))
    inks = np.concatenate([1 - rest, black[None]])
    for _ in range(3):
        for ink in range(3):
            left = np.ones_like(black)
            for other in range(3):
                if other != ink:
                    left *= 1 - inks[other] * (1 - COLOURS[other][ink])
            # Solid ink leaves nothing of its own complement.
            inks[ink] = np.clip(1 - rest[ink] / np.maximum(left, 1e-6), 0, 1)
    return inks


def printed(inks: F32) -> F32:
    """Return the colours (3, H, W) of coverages (4, H, W) on white paper, all 0 to 1."""
    out = np.repeat(1 - inks[3:] * (1 - BLACK), 3, axis=0)
    for ink, colour in zip(inks, COLOURS, strict=False):
        for plane, left in zip(out, colour, strict=True):
            plane *= 1 - ink * (1 - left)
    return out


@register("halftone")
@dataclass(frozen=True, kw_only=True)
class Halftone(Step):
    """Printed with screens of dots; from afar the tones stay, as far as inks can mix them.

    `pitch` is from dot to dot, in pixels of the frame as it comes to this step; `strength` is how
    much of the print is blended over the picture. All screens are turned by `tilt` degrees, either
    way. `rough` is by how much of its area a dot is off, as ink takes unevenly: a standard
    deviation.

    `inks` are ``cmyk``: four screens at 15, 75, 0 and 45 degrees; ``line``: the same with black as
    a plate of solid lines, as newspapers printed comics; ``grey``: one screen at 45 degrees for the
    lightness; colour, if there is any, stays as far as white has room for it.
    """

    pitch: Annotated[tuple[float, float], span(1.5, 64)] = (2.0, 6.0)
    strength: Annotated[tuple[float, float], span(0, 1)] = (0.6, 1.0)
    inks: Annotated[tuple[str, ...], one_of(INKS)] = ("cmyk",)
    tilt: Annotated[tuple[float, float], span(0, 45)] = (0.0, 3.0)
    rough: Annotated[tuple[float, float], span(0, 1)] = (0.0, 0.2)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Print (H, W, 3)."""
        pitch, strength = draw(rng, self.pitch), draw(rng, self.strength)
        tilt, rough = draw(rng, self.tilt) * rng.choice((-1, 1)), draw(rng, self.rough)
        chosen = choose(rng, self.inks)
        rgb = _planes(frame)

        def plate(coverage: F32, angle: float) -> F32:
            uneven = 1 + np.float32(rough) * rng.standard_normal(coverage.shape, np.float32)
            uneven = np.where(coverage < 1, np.clip(coverage * uneven, 0, 1), 1)
            phase = (draw(rng, TURN), draw(rng, TURN))
            return screened(uneven, pitch=pitch, angle=angle + tilt, phase=phase)

        if chosen == "grey":
            grey = _luma(rgb)
            change = 1 - plate(1 - grey, 45) - grey
        else:
            inks = separated(rgb, line=chosen == "line")
            for ink in range(3 if chosen == "line" else 4):
                inks[ink] = plate(inks[ink], ANGLES[ink])
            change = printed(inks) - rgb
        return to_bytes((rgb + np.float32(strength) * change) * 255)


@register("scan")
@dataclass(frozen=True, kw_only=True)
class Scan(Step):
    """Scanned from an old page; the pixels stay where they were, to within half a pixel.

    The page lay at an angle of `skew` degrees, either way, and was straightened afterwards: rotated
    there and back. `paper` is how yellow, blotched and fibrous the paper is, and how faded the ink;
    0 is white paper. `bleed` is how much of the other side shines through: of the picture itself,
    mirrored and blurred. Red and blue are displaced by `misregister` pixels against green, each in
    its own direction.
    """

    skew: Annotated[tuple[float, float], span(0, 15)] = (0.0, 2.0)
    paper: Annotated[tuple[float, float], span(0, 1)] = (0.0, 1.0)
    bleed: Annotated[tuple[float, float], span(0, 1)] = (0.0, 0.2)
    misregister: Annotated[tuple[float, float], span(0, 0.5)] = (0.0, 0.4)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Scan (H, W, 3)."""
        skew, paper, bleed, misregister = (
            draw(rng, span) for span in (self.skew, self.paper, self.bleed, self.misregister)
        )
        page = _planes(frame)
        if bleed:
            page = page * (1 - np.float32(bleed) * (1 - _other_side(page, rng)))
        if paper:
            page = _on_paper(page, paper, rng)
        out = to_bytes(page * 255)
        if skew:
            out = _straightened(out, skew * rng.choice((-1, 1)), rng)
        if misregister:
            for channel in (0, 2):
                angle = draw(rng, TURN)
                by = (misregister * math.cos(angle), misregister * math.sin(angle))
                out[..., channel] = _displaced(out[..., channel], by)
        return out


def _other_side(page: F32, rng: np.random.Generator) -> F32:
    """Return the reverse side, (3, H, W), as it shines through: displaced, and half grey."""
    _, height, width = page.shape
    shift = (int(rng.integers(height)), int(rng.integers(width)))
    other = np.roll(page[..., ::-1], shift, axis=(1, 2))
    other = np.float32(0.5) * (other + _luma(other))
    return convolved(other, blur_kernel("gaussian", draw(rng, (1.0, 3.0))))


def _on_paper(page: F32, strength: float, rng: np.random.Generator) -> F32:
    """Put (3, H, W) on old paper: `strength` 1 is the newsprint of half a century ago."""
    _, height, width = page.shape
    # Old paper takes away blue above all, where it is blotched as well.
    yellow = NEWSPRINT * rng.uniform(0.5, 1.1) * rng.uniform(0.92, 1.08, 3)
    blotches = 0.7 * _clouds(height, width, 120, rng) + 0.3 * _clouds(height, width, 25, rng)
    blotched = np.maximum(1 + np.float32(rng.uniform(0.05, 0.25)) * blotches, 0)
    white = 1 - np.float32(strength) * yellow.astype(np.float32)[:, None, None] * blotched
    white *= 1 + np.float32(strength * rng.uniform(0.01, 0.04)) * _fibres(height, width, rng)
    faded = np.float32(strength * rng.uniform(0.03, 0.2))
    out: F32 = white * (faded + (1 - faded) * page)
    return out


def _clouds(height: int, width: int, size: int, rng: np.random.Generator) -> F32:
    """Return smooth noise (H, W) of mean 0 and deviation about 1, in clouds of `size` pixels."""
    rows, columns = (-(-length // size) + 3 for length in (height, width))
    coarse = Image.fromarray(1.4 * rng.standard_normal((rows, columns), np.float32))
    smooth: F32 = np.array(coarse.resize((columns * size, rows * size), BICUBIC))
    top, left = (int(v) for v in rng.integers(size, 2 * size, 2))
    return smooth[top : top + height, left : left + width]


def _fibres(height: int, width: int, rng: np.random.Generator) -> F32:
    """Return noise (H, W) of mean 0 and deviation about 1: grain, and fibres that lie anyhow."""
    out: F32 = np.float32(0.5) * rng.standard_normal((height, width), np.float32)
    first = draw(rng, TURN)
    for turn in range(3):
        fibre = blur_kernel("gaussian", 2.0, aspect=0.25, angle=first + turn * math.pi / 3)
        # The cube of normal noise, deviation sqrt(15), is a few strong fibres among weak ones.
        noise = rng.standard_normal((1, height, width), np.float32)
        out += convolved(noise * noise * noise, fibre / np.sqrt(60 * np.square(fibre).sum()))[0]
    return out


def _straightened(page: Rgb, degrees: float, rng: np.random.Generator) -> Rgb:
    """Rotate (H, W, 3) there and back about a random point of it."""
    height, width = page.shape[:2]
    # Nothing of the page may leave the canvas on the way.
    pad = math.ceil(math.hypot(height, width) * math.radians(abs(degrees))) + 3
    canvas = Image.fromarray(np.pad(page, ((pad, pad), (pad, pad), (0, 0)), "edge"))
    centre = (pad + width * float(rng.random()), pad + height * float(rng.random()))
    for angle in (degrees, -degrees):
        canvas = canvas.rotate(angle, BICUBIC, center=centre)
    return np.array(canvas)[pad : pad + height, pad : pad + width].copy()


def _displaced(plane: NDArray[np.uint8], by: tuple[float, float]) -> NDArray[np.uint8]:
    """Move (H, W) by less than a pixel, (y, x).

    By cubic convolution (Keys 1981, a = -1/2), which moves gradients exactly; Pillow's bicubic
    transform (a = -1) is up to 0.05 pixels off.
    """
    out = np.pad(plane, 3, "edge").astype(np.float32)
    for axis, shift in enumerate(by):
        t = abs(shift)
        weights = (
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        )
        toward = 1 if shift > 0 else -1
        # What wraps around stays in the padding.
        out = sum(
            (w * np.roll(out, toward * (k - 1), axis) for k, w in enumerate(weights)),
            start=np.zeros_like(out),
        )
    return np.clip(np.rint(out[3:-3, 3:-3]), 0, 255).astype(np.uint8)
