"""Inputs for the comparison of an exported network with the trained one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.training.colour import luma
from restore_rt.training.data.holes import with_hole
from restore_rt.training.data.pictures import find_pictures, read_rgb
from restore_rt.training.degradations.holes import Holes

__all__ = ["picture_samples", "synthetic_samples"]

SIZE = (97, 131)
PICTURES = 16
PICTURE_SIZE = 320


def synthetic_samples(
    channels: int, *, size: tuple[int, int] = SIZE, seed: int = 0
) -> list[NDArray[np.float32]]:
    """Make noise, a gradient with waves, hard edges, and black and white; (1, C, *size) each."""
    rng = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = 0.5 + x / width / 4 + 0.2 * np.sin(x * x / 700 + y / 5)
    edges = ((x // 7 + y // 5) % 2 * 0.6 + (x > y) * 0.3).astype(np.float32)
    steps = (x > width / 2).astype(np.float32)
    noise = rng.random((1, channels, height, width), dtype=np.float32)
    mixed = 0.7 * edges + 0.3 * noise[0, 0]
    planes = [waves, edges, mixed, steps]
    repeated = [np.repeat(p[None, None], channels, axis=1).astype(np.float32) for p in planes]
    return [noise, *repeated]


def picture_samples(
    folder: Path, colour: str, *, smallest: int = 1, count: int = PICTURES, masked: bool = False
) -> list[NDArray[np.float32]]:
    """Read `count` pictures from all over a folder, their middles, (1, C, H, W) of 0 to 1.

    If `masked`, they have holes with a first fill, and the mask as a further channel.

    Raises `InputError` if there is none, or one cannot be read or has a side below `smallest`.
    """
    samples: list[NDArray[np.float32]] = []
    files = find_pictures(folder)
    for file in files[:: -(-len(files) // count)]:
        rgb = read_rgb(file)
        if min(rgb.shape[:2]) < smallest:
            raise InputError(
                f"{file} has {rgb.shape[0]}x{rgb.shape[1]} pixels; the network takes no fewer than "
                f"{smallest} along each side, remove it"
            )
        top, left = (max(0, size - PICTURE_SIZE) // 2 for size in rgb.shape[:2])
        # One row fewer than columns, and odd, so that axes cannot be confused.
        rgb = rgb[top : top + PICTURE_SIZE - 1, left : left + PICTURE_SIZE]
        planes = luma(rgb)[None] if colour == "luma" else rgb.transpose(2, 0, 1)
        if masked:
            hole = Holes().mask(np.random.default_rng(len(samples)), *rgb.shape[:2])
            planes = with_hole(np.rint(planes).astype(np.uint8), hole)
        samples.append(np.ascontiguousarray(planes[None], dtype=np.float32) / np.float32(255))
    return samples
