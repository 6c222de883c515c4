"""A still becomes a clip: a camera that drifts over it, or a scene of layers that move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.degradations.steps import Clip, Rgb, draw

__all__ = ["MOTIONS", "REACH", "drifting", "layered", "wandering_crops", "whole"]

# What a recipe may call the motion of a clip that is made of a still.
MOTIONS = ("drift", "layers")

# How far the camera drifts over a still that becomes a clip.
REACH = 16
# The fastest drift of a layer, in pixels of the still from frame to frame.
FASTEST = 7
# How many of the layered clips zoom or turn, have something pass in front, cut, hold and flicker.
ZOOMING, PASSING, CUTS, HELD, FLICKERING = 0.2, 0.6, 0.08, 0.15, 0.1


def drifting(still: Rgb, frames: int, rng: np.random.Generator, *, reach: int = REACH) -> Clip:
    """Make a clip of a still (H, W, 3) or (H, W), as `wandering_crops` plans it."""
    origins, (height, width) = wandering_crops(
        *still.shape[:2], frames=frames, reach=reach, rng=rng
    )
    return [still[y : y + height, x : x + width] for y, x in origins]


def layered(still: Rgb, frames: int, rng: np.random.Generator, *, reach: int = REACH) -> Clip:
    """Make a clip of a still (H, W, 3): moving layers, cuts and other effects of video.

    The camera drifts, so frames are smaller than the still by `reach`, along both axes; in front of
    the background, another part of the picture may pass at a speed of its own, so that there are
    edges along which the motion changes. Some clips zoom or turn, flicker, cut to another scene, or
    hold each frame for several.
    """
    clip = _scene(still, frames, rng, reach)
    if rng.random() < CUTS and frames > 2:
        cut = int(rng.integers(1, frames))
        clip[cut:] = _scene(still[::-1, ::-1], frames - cut, rng, reach)
    if rng.random() < HELD:
        each = int(rng.integers(2, 4))
        clip = [clip[n - n % each] for n in range(frames)]
    if rng.random() < FLICKERING:
        gains = rng.normal(1, 0.03, frames)
        clip = [_brighter(frame, gain) for frame, gain in zip(clip, gains, strict=True)]
    return clip


def _scene(still: Rgb, frames: int, rng: np.random.Generator, reach: int) -> Clip:
    stills = _zooming(still, frames, rng) if rng.random() < ZOOMING else [still] * frames
    origins, (height, width) = wandering_crops(
        *still.shape[:2], frames=frames, reach=reach, rng=rng, fastest=FASTEST
    )
    clip = [
        moved[y : y + height, x : x + width] for moved, (y, x) in zip(stills, origins, strict=True)
    ]
    if rng.random() < PASSING:
        mask = _blob(still.shape[0], still.shape[1], rng)
        other = still[:, ::-1]
        origins, _ = wandering_crops(
            *still.shape[:2], frames=frames, reach=reach, rng=rng, fastest=FASTEST
        )
        clip = [
            _over(frame, other[y : y + height, x : x + width], mask[y : y + height, x : x + width])
            for frame, (y, x) in zip(clip, origins, strict=True)
        ]
    return clip


def _zooming(still: Rgb, frames: int, rng: np.random.Generator) -> Clip:
    """Enlarge and turn (H, W, 3) about its middle, a little more in each frame."""
    height, width = still.shape[:2]
    zoom, turn = draw(rng, (-0.01, 0.01)), draw(rng, (-0.01, 0.01))
    picture = Image.fromarray(np.ascontiguousarray(still))
    clip = []
    for number in range(frames):
        cos, sin = np.cos(turn * number), np.sin(turn * number)
        # Begins a little enlarged, and stays so by as much as the turn needs to show nothing from
        # beyond the edges.
        needed = cos + abs(sin) * max(height / width, width / height)
        size = 1 / max(1.1 + zoom * number, needed)
        cos, sin = size * cos, size * sin
        x, y = width / 2, height / 2
        affine = (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)
        moved = picture.transform(
            picture.size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC
        )
        clip.append(np.asarray(moved))
    return clip


def _blob(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw an ellipse with a soft edge, (H, W, 1), 0 to 1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    high, wide = (size * draw(rng, (0.1, 0.35)) for size in (height, width))
    up, left = height * draw(rng, (0.2, 0.8)), width * draw(rng, (0.2, 0.8))
    far = np.sqrt(((y - up) / high) ** 2 + ((x - left) / wide) ** 2)
    # A pixel and a half from inside to outside, as a lens draws an edge.
    soft = np.clip((1 - far) * np.float32(min(high, wide) / 1.5) + 0.5, 0, 1)
    return np.asarray(soft[..., None], np.float32)


def _over(back: Rgb, front: Rgb, mask: NDArray[np.float32]) -> Rgb:
    mixed = back + mask * (front.astype(np.float32) - back)
    return np.asarray(np.rint(mixed), np.uint8)


def _brighter(frame: Rgb, gain: float) -> Rgb:
    return np.asarray(np.clip(np.rint(frame * np.float32(gain)), 0, 255), np.uint8)


def whole(frame: Rgb, multiple: int) -> Rgb:
    """Cut (H, W, 3) or (H, W) at its end, so that the sides are multiples."""
    height, width = (size - size % multiple for size in frame.shape[:2])
    return np.ascontiguousarray(frame[:height, :width])


def wandering_crops(
    height: int,
    width: int,
    *,
    frames: int,
    reach: int,
    rng: np.random.Generator,
    fastest: int = 3,
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Plan a camera that drifts over a still: where each frame begins (y, x), and the frames' size.

    The steps, at most `fastest` along each axis, are whole pixels of the full-size picture, so that
    after the reduction the motion is a fraction of a pixel, as in real video, and the encoder has
    residues to code. The camera stays within 0..reach; the size is (height - reach, width - reach).
    """
    if reach >= min(height, width):
        raise InputError(f"reach {reach} leaves nothing of a {height}x{width} picture")
    place = rng.integers(0, reach + 1, 2)
    speed = rng.integers(-fastest, fastest + 1, 2)
    origins = []
    for _ in range(frames):
        origins.append((int(place[0]), int(place[1])))
        place = place + speed
        # Bounce: a drift that leaves the reach turns back.
        speed = np.where((place < 0) | (place > reach), -speed, speed)
        place = np.clip(place, 0, reach)
    return origins, (height - reach, width - reach)
