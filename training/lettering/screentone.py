"""Screentone: dots and lines of ink, and pictures drawn in ink and screentone as manga are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.training.colour import BT601

__all__ = ["screentone", "toned"]

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Rng = np.random.Generator
Size = tuple[int, int]
ANGLES = (0, 15, 30, 45, 45, 60, 75)


def screentone(rng: Rng, size: Size, scale: int) -> Image.Image:
    """Return dots or lines of ink as coverage, mode L, with soft edges.

    They are even, or grow from the top to the bottom. `size` is width and height, `scale` times
    those of the page.
    """
    pitch = math.exp(rng.uniform(math.log(2.2), math.log(8))) * scale
    angle = math.radians(float(rng.choice(ANGLES)))
    field = _screen(size, pitch, angle, lines=rng.random() < 0.15)
    level = rng.uniform(-0.6, 0.7)
    ramp = np.linspace(level, level + rng.uniform(-0.7, 0.7), size[1], dtype=np.float32)[:, None]
    if rng.random() < 0.5:
        ramp = np.full_like(ramp, level)
    field -= ramp
    return Image.fromarray(_covered(field, pitch).astype(np.uint8))


def toned(rng: Rng, picture: U8, scale: int) -> Image.Image:
    """Draw a picture as a black-and-white page, `scale` times as large, as RGB.

    Dark places become ink, bright ones paper, and what is between a screen of dots or lines whose
    size follows the brightness, in a few flat tones or in gradients. `picture` is (H, W, 3).
    """
    height, width = picture.shape[:2]
    size = (width * scale, height * scale)
    grey: F32 = (picture @ np.array(BT601, np.float32)).astype(np.float32)
    large = Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC)
    low, high = np.quantile(grey, [0.02, 0.9])
    light: F32 = np.clip((np.asarray(large, np.float32) - low) / max(float(high - low), 24.0), 0, 1)
    # A page has more paper than ink.
    light **= rng.uniform(0.45, 0.8)
    black, white = rng.uniform(0.1, 0.3), rng.uniform(0.6, 0.95)
    # From 0, where screentone meets ink, to 1, where it meets paper.
    tone = (light - black) / (white - black)
    if rng.random() < 0.6:
        steps = int(rng.integers(1, 5))
        flat = (np.floor(np.clip(tone, 0, 0.999) * steps) + 0.5) / steps
    else:
        flat = np.clip(tone, 0, 1)
    # As printers do: dots that nearly touch, or nearly vanish, are not to be had.
    level = (0.12 + 0.76 * flat) * 2 - 1
    pitch = math.exp(rng.uniform(math.log(2.8), math.log(9))) * scale
    angle = math.radians(float(rng.choice(ANGLES)))
    field = _screen(size, pitch, angle, lines=rng.random() < 0.15)
    covered = _covered(field - level.astype(np.float32), pitch)
    covered[tone >= 1] = 0
    # A page's pixel for the way from ink to none, so that outlines stay smooth.
    ink = np.clip(0.5 - tone * (white - black) * rng.uniform(6, 16), 0, 1) * 255
    covered = np.maximum(covered, ink)
    dark, bright = rng.integers(0, 41), rng.integers(235, 256)
    page = bright + covered * ((float(dark) - float(bright)) / 255)
    return Image.fromarray(np.rint(page).astype(np.uint8)).convert("RGB")


def _screen(size: Size, pitch: float, angle: float, *, lines: bool) -> F32:
    """Return waves between -1 and 1, (height, width), whose crests are where ink begins.

    The product of two waves is the sum of two on a grid turned by 45 degrees; each comes from one
    outer product of complex exponentials, which saves a cosine per pixel.
    """
    step = 2 * math.pi / pitch
    x, y = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)

    def wave(turn: float) -> F32:
        fx, fy = step * math.cos(angle + turn), step * math.sin(angle + turn)
        cx, cy = (np.cos(fx * x), np.cos(fy * y)[:, None])
        out: F32 = (cy * cx - np.sin(fy * y)[:, None] * np.sin(fx * x)).astype(np.float32)
        return out

    return wave(0.0) if lines else 0.5 * (wave(0.0) + wave(math.pi / 2))


def _covered(field: F32, pitch: float) -> F32:
    """Return coverage, 0 to 255, with the edge where `field` is 0; `field` is changed."""
    # One pixel's ramp at the steepest part of the wave.
    field *= 255 * pitch / (2 * math.pi)
    field += 128
    return np.clip(field, 0, 255, out=field)
