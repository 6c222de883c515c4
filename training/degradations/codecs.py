"""Steps that compress: JPEG once or many times, WebP, H.264, and the loss of chroma alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.degradations.resizing import Rescale, resized
from restore_rt.training.degradations.steps import (
    Clip,
    Rgb,
    Step,
    check_range,
    draw,
    draw_int,
    register,
)
from restore_rt.training.degradations.video import (
    PRESETS,
    Codec,
    Coding,
    check_pyav,
    encoded_frames,
    luma_of,
    rgb_of,
)

__all__ = [
    "H264",
    "VIDEO_STEPS",
    "Chroma",
    "Jpeg",
    "Webp",
    "check_pyav",
    "h264",
    "h264_luma",
    "jpeg",
    "webp",
]

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

    quality: tuple[int, int] = (30, 95)
    rounds: tuple[int, int] = (1, 1)
    shift: int = 0
    rescaled: float = 0.0
    factor: tuple[float, float] = (0.7, 1.3)
    subsampling: tuple[str, ...] = ("4:2:0",)

    def check(self) -> None:
        """Refuse qualities outside 1 to 95, no round at all, and unknown subsamplings."""
        check_range("quality", self.quality, 1, 95)
        check_range("rounds", self.rounds, 1, 32)
        check_range("shift", (self.shift, self.shift), 0, 15)
        check_range("rescaled", (self.rescaled, self.rescaled), 0, 1)
        Rescale(factor=self.factor).check()
        for name in self.subsampling or ("",):
            if name not in SUBSAMPLINGS:
                allowed = ", ".join(SUBSAMPLINGS)
                raise InputError(f"subsampling is {name!r}; there are {allowed}")

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
            chosen = self.subsampling[int(rng.integers(len(self.subsampling)))]
            moved = np.pad(frame, pad, "edge")
            coded = jpeg(moved, draw_int(rng, self.quality), subsampling=chosen)
            frame = np.ascontiguousarray(coded[top:, left:])
        return frame


@register("webp")
@dataclass(frozen=True, kw_only=True)
class Webp(Step):
    """Lossy WebP."""

    quality: tuple[int, int] = (40, 90)

    def check(self) -> None:
        """Refuse qualities outside 0 to 100."""
        check_range("quality", self.quality, 0, 100)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Compress (H, W, 3)."""
        return webp(frame, draw_int(rng, self.quality))


@register("chroma")
@dataclass(frozen=True, kw_only=True)
class Chroma(Step):
    """Chroma at a part of the resolution, without other losses; luma stays (BT.601, full range)."""

    factor: tuple[int, int] = (2, 2)

    def check(self) -> None:
        """Refuse factors outside 1 to 8."""
        check_range("factor", self.factor, 1, 8)

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


@register("h264")
@dataclass(frozen=True, kw_only=True)
class H264(Step):
    """x264, 8 bit 4:2:0, at a constant rate factor from `crf`.

    With `luma`, frames come out as their decoded luma (H, W), limited range, without a detour
    through RGB; then no step may follow.
    """

    crf: tuple[float, float] = (18, 32)
    preset: tuple[str, ...] = ("medium", "veryfast")
    luma: bool = False

    def check(self) -> None:
        """Refuse factors outside 0 to 51 and unknown presets."""
        check_range("crf", self.crf, 0, 51)
        for name in self.preset or ("",):
            if name not in PRESETS:
                raise InputError(f"preset is {name!r}; there are {', '.join(PRESETS)}")

    def apply(self, clip: Clip, rng: np.random.Generator, *, scale: int) -> Clip:
        """Compress a clip of (H, W, 3)."""
        crf = draw(rng, self.crf)
        preset = self.preset[int(rng.integers(len(self.preset)))]
        return (h264_luma if self.luma else h264)(clip, crf=crf, preset=preset)


# The steps that treat a clip as video.
VIDEO_STEPS = (H264, Codec)


def h264(frames: Sequence[Rgb], *, crf: float, preset: str = "medium") -> list[Rgb]:
    """Send a clip of (H, W, 3) frames through x264, 8 bit 4:2:0, and back to RGB."""
    decoded = encoded_frames(frames, Coding(crf=crf, preset=preset))
    height, width = frames[0].shape[:2]
    return [np.ascontiguousarray(rgb_of(frame)[:height, :width]) for frame in decoded]


def h264_luma(
    frames: Sequence[Rgb], *, crf: float, preset: str = "medium"
) -> list[NDArray[np.uint8]]:
    """Send a clip of (H, W, 3) frames through x264; the decoded luma planes (H, W), 16 to 235."""
    decoded = encoded_frames(frames, Coding(crf=crf, preset=preset))
    height, width = frames[0].shape[:2]
    return [np.ascontiguousarray(luma_of(frame)[:height, :width]) for frame in decoded]
