"""How good a restorer is: PSNR on luma, from clean inputs and from ones coded with H.264."""

from __future__ import annotations

import statistics
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.colour import luma
from restore_rt.training.data import REACH, whole
from restore_rt.training.degradations import h264_luma, reduce, wandering_crops
from restore_rt.training.pictures import find_pictures, read_rgb

__all__ = ["bicubic", "evaluate", "psnr", "psnr_y"]

Plane = NDArray[np.float32]


def psnr(a: Plane, b: Plane, *, shave: int = 0) -> float:
    """Peak signal-to-noise ratio of two planes (H, W) on the scale of 255, in dB.

    `shave` pixels are left out along each edge. Equal planes give infinity.
    """
    if a.shape != b.shape or a.ndim != 2:
        raise InputError(f"planes of {a.shape} and {b.shape} cannot be compared; sizes must agree")
    if min(a.shape) <= 2 * shave:
        raise InputError(f"a plane of {a.shape} has nothing left when {shave} pixels are shaved")
    inner = slice(shave, -shave or None)
    difference = a[inner, inner].astype(np.float64) - b[inner, inner].astype(np.float64)
    error = float(np.mean(difference**2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def psnr_y(a: NDArray[np.uint8], b: NDArray[np.uint8], *, shave: int = 0) -> float:
    """PSNR of the BT.601 luma, 16 to 235, of two 8-bit RGB images (H, W, 3), in dB."""
    return psnr(luma(a), luma(b), shave=shave)


def bicubic(plane: Plane, scale: int) -> Plane:
    """Enlarge a luma plane (H, W) with Pillow's bicubic: what a network is measured against."""
    size = (plane.shape[1] * scale, plane.shape[0] * scale)
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC))


def evaluate(
    restore: Callable[[Plane], Plane],
    folder: Path,
    *,
    scale: int,
    crf: float | None = None,
    frames: int = 1,
) -> dict[str, float]:
    """Restore every image of a folder from its reduced luma and compare.

    The input is the luma of the image reduced in RGB by Pillow's bicubic. With `crf` it goes
    through x264 (preset medium): as a single frame, or as a clip in which the camera drifts over
    the still, as H.264 codes real video: frames that others refer to are coded better, and
    most of a frame is predicted. `scale` pixels are shaved.

    Parameters
    ----------
    restore
        Takes luma (h, w), float32 on the scale of 0 to 255; returns (scale*h, scale*w).
    folder
        Where the images are.
    scale
        Factor of the reduction.
    crf
        Quality for x264, or None for a clean input.
    frames
        Length of the clip for x264; the PSNR of an image is then the mean over its frames.

    Returns
    -------
    dict
        PSNR in dB by file name.

    Raises
    ------
    InputError
        If the folder has no images, one cannot be read, or `frames` is below 1.
    """
    if frames < 1:
        raise InputError(f"frames is {frames}; must be at least 1")
    result = {}
    for file in find_pictures(folder):
        rgb = read_rgb(file)
        if crf is None:
            originals = [whole(rgb, scale)]
            inputs = [luma(reduce(originals[0], scale))]
        else:
            rng = np.random.default_rng(zlib.crc32(file.name.encode()))
            reach = REACH if frames > 1 else 0
            origins, (height, width) = wandering_crops(
                *rgb.shape[:2], frames=frames, reach=reach, rng=rng
            )
            originals = [whole(rgb[y : y + height, x : x + width], scale) for y, x in origins]
            coded = h264_luma([reduce(original, scale) for original in originals], crf=crf)
            inputs = [plane.astype(np.float32) for plane in coded]
        # What leaves a restorer is 8 bit, so out-of-range values do not count against it.
        result[file.name] = statistics.fmean(
            psnr(np.clip(restore(plane), 0, 255), luma(original), shave=scale)
            for plane, original in zip(inputs, originals, strict=True)
        )
    return result
