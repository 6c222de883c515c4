"""Steps that compress pictures: JPEG once or many times, WebP, and the loss of chroma alone."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.degradations.resizing import Factor, Rescale, resized
from restore_rt.training.degradations.steps import Rgb, Step, choose, draw_int, register
from restore_rt.training.limits import between, one_of, span

__all__ = ["Chroma", "Jpeg", "Webp", "jpeg", "webp"]

# On the command line colons part values, so that the second way is the one to write them there.
SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2, "444": 0, "422": 1, "420": 2}


def jpeg(image: Rgb, quality: int, *, subsampling: str = "4:2:0") -> Rgb:
    """Send (H, W, 3) or grey (H, W) through Pillow's JPEG at `quality`, 1 to 95.

    `subsampling` is a key of `SUBSAMPLINGS`.
    """
    if not 1 <= quality <= 95:
        raise InputError(f"JPEG quality is {quality}; allowed are 1 to 95")
    buffer = io.BytesIO()
    options = {"subsampling": SUBSAMPLINGS[subsampling]} if image.ndim == 3 else {}
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, **options)
    return np.array(Image.open(buffer))


def webp(image: Rgb, quality: int) -> Rgb:
    """Send (H, W, 3) through Pillow's lossy WebP at `quality`, 0 to 100."""
    buffer = io.BytesIO()
    # The fastest method: what it leaves differs little from what the slow ones leave.
    Image.fromarray(image).save(buffer, "WEBP", quality=quality, method=0)
    return np.array(Image.open(buffer).convert("RGB"))


@register("jpeg")
@dataclass(frozen=True, kw_only=True)
class Jpeg(Step):
    """JPEG, once or many times: a picture that was saved and shared again and again.

    Between two rounds the block grid moves by up to `shift` pixels along each axis, as when a
    picture was cropped, and with the probability `rescaled` the picture goes through another size
    (a factor from `factor`). Chroma is kept as one of `subsampling` says, ``4:2:0`` or ``420``.
    """

    quality: Annotated[tuple[int, int], span(1, 95)] = (30, 95)
    rounds: Annotated[tuple[int, int], span(1, 32)] = (1, 1)
    shift: Annotated[int, between(0, 15)] = 0
    rescaled: Annotated[float, between(0, 1)] = 0.0
    factor: Factor = (0.7, 1.3)
    subsampling: Annotated[tuple[str, ...], one_of(SUBSAMPLINGS)] = ("4:2:0",)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Compress (H, W, 3) or grey (H, W)."""
        for number in range(draw_int(rng, self.rounds)):
            if number and rng.random() < self.rescaled:
                frame = Rescale(factor=self.factor).apply_frame(frame, rng, scale=scale)
            # The picture is extended above and to the left by what the grid shall move.
            top, left = (0, 0)
            if number and self.shift:
                top, left = (int(v) for v in rng.integers(0, self.shift + 1, 2))
            pad = ((top, 0), (left, 0), (0, 0))[: frame.ndim]
            chosen = choose(rng, self.subsampling)
            moved = np.pad(frame, pad, "edge")
            coded = jpeg(moved, draw_int(rng, self.quality), subsampling=chosen)
            frame = np.ascontiguousarray(coded[top:, left:])
        return frame


@register("webp")
@dataclass(frozen=True, kw_only=True)
class Webp(Step):
    """Lossy WebP."""

    quality: Annotated[tuple[int, int], span(0, 100)] = (40, 90)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Compress (H, W, 3)."""
        return webp(frame, draw_int(rng, self.quality))


@register("chroma")
@dataclass(frozen=True, kw_only=True)
class Chroma(Step):
    """Chroma at a part of the resolution, without other losses; luma stays (BT.601, full range)."""

    factor: Annotated[tuple[int, int], span(1, 8)] = (2, 2)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Reduce and enlarge Cb and Cr of (H, W, 3)."""
        factor = draw_int(rng, self.factor)
        height, width = frame.shape[:2]
        ycbcr = np.array(Image.fromarray(frame).convert("YCbCr"))
        for channel in (1, 2):
            plane = np.ascontiguousarray(ycbcr[..., channel])
            small = resized(plane, -(-height // factor), -(-width // factor), "area")
            ycbcr[..., channel] = resized(small, height, width, "bilinear")
        return np.array(Image.fromarray(ycbcr, "YCbCr").convert("RGB"))
