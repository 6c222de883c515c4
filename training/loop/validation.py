"""Validation on held-out pictures: PSNR, and samples of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from restore_rt.training.data.chroma import GREY
from restore_rt.training.data.regions import Pair
from restore_rt.training.metrics.fidelity import psnr
from restore_rt.training.networks import coarse_to_fine
from restore_rt.training.precision import whole_float32

__all__ = ["restore", "sample_grid", "validate"]

GRID_CROP = 192
GRID_ROWS = 4
GAP = 4
U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


@torch.no_grad()
def restore(
    network: nn.Module, planes: NDArray[Any], device: torch.device, *, levels: int = 0
) -> F32:
    """Send (C, h, w) through the network; (C, H, W) on the scale of 0 to 255, clipped.

    Floats are what a chroma network reads; its results get back the grey that they lack. With
    `levels`, holes are filled at so many smaller sizes first.
    """
    chroma = planes.dtype == np.float16
    x = torch.from_numpy(planes).to(device).float()[None]
    if not chroma:
        x = x.div_(255)
    x = x.contiguous(memory_format=torch.channels_last)
    with whole_float32():
        y = network(coarse_to_fine(network, x, levels))[0]
    grey = GREY if chroma else 0
    restored: F32 = y.float().mul(255).add_(grey).clamp_(0, 255).cpu().numpy()
    return restored


def validate(
    network: nn.Module,
    pairs: Mapping[str, Sequence[Pair]],
    *,
    scale: int,
    device: torch.device,
    levels: int = 0,
) -> dict[str, float]:
    """Mean over pictures of their PSNR in dB, for every variant by its name.

    A picture's PSNR is that of the squared error averaged over its channels, and at most
    `restore_rt.training.metrics.fidelity.MOST_DB`. The network must be in evaluation mode. `scale`
    pixels are shaved. Where pairs have masks, the holes alone are measured, which are filled at
    `levels` smaller sizes first.
    """
    scores = {}
    for name, some in pairs.items():
        values = []
        for pair in some:
            restored = restore(network, pair.input, device, levels=levels).transpose(1, 2, 0)
            target = pair.target.transpose(1, 2, 0).astype(np.float32)
            hole = pair.hole
            if hole is None:
                values.append(psnr(restored, target, shave=scale))
            else:
                values.append(psnr(restored[hole], target[hole]))
        scores[name] = float(np.mean(values))
    return scores


def sample_grid(
    network: nn.Module,
    pairs: Mapping[str, Sequence[Pair]],
    *,
    scale: int,
    device: torch.device,
    levels: int = 0,
) -> U8:
    """Draw input, bicubic, output and target side by side, (H, W, 3), one row for each variant.

    With fewer than four variants there are more rows of each. Where pairs have masks, these are
    input with white holes, first fill, output and target.
    """
    rows = []
    each = max(1, GRID_ROWS // len(pairs))
    for number, some in enumerate(pairs.values()):
        # Another picture for each row, as far as there are others.
        for place in range(number * each, number * each + min(each, len(some))):
            rows.append(_row(network, some[place % len(some)], scale, device, levels))
    # Pictures can be smaller than the crop.
    height, width = (max(row.shape[axis] for row in rows) for axis in (0, 1))
    grid = np.full(((height + GAP) * len(rows) - GAP, width, 3), 255, np.uint8)
    for number, row in enumerate(rows):
        top = number * (height + GAP)
        grid[top : top + row.shape[0], : row.shape[1]] = row
    return grid


def _row(network: nn.Module, pair: Pair, scale: int, device: torch.device, levels: int) -> U8:
    height, width = (min(GRID_CROP // scale, size) for size in pair.input.shape[1:])
    # A multiple that every network takes, if the picture has it.
    height, width = (size - size % 16 or size for size in (height, width))
    top, left = (
        (size - part) // 2 for size, part in zip(pair.input.shape[1:], (height, width), strict=True)
    )
    small = pair.input[:, top : top + height, left : left + width]
    large = pair.target[
        :, top * scale : (top + height) * scale, left * scale : (left + width) * scale
    ]
    size = (width * scale, height * scale)
    output = restore(network, np.ascontiguousarray(small), device, levels=levels)
    output = np.rint(output).astype(np.uint8)
    if small.dtype == np.float16:
        # Cb stands for both.
        output, large = output[:1], large[:1]
        small = np.clip(np.rint(small[4:5].astype(np.float32) * 255 + GREY), 0, 255).astype(
            np.uint8
        )
    if pair.masked:
        shown = [_picture(np.maximum(small[:-1], small[-1])), _picture(small[:-1])]
    else:
        shown = [
            _picture(_middle(small, len(large))).resize(size, how)
            for how in (Image.Resampling.NEAREST, Image.Resampling.BICUBIC)
        ]
    shown += [_picture(output), _picture(large)]
    gap = np.full((size[1], GAP, 3), 255, np.uint8)
    cells = [np.asarray(image) for image in shown]
    parts = [part for cell in cells for part in (cell, gap)][:-1]
    return np.concatenate(parts, axis=1)


def _middle(planes: NDArray[Any], channels: int) -> NDArray[Any]:
    """Return the middle frame of a window (n * channels, H, W)."""
    first = len(planes) // channels // 2 * channels
    return planes[first : first + channels]


def _picture(planes: NDArray[Any]) -> Image.Image:
    rgb = np.repeat(planes, 3, axis=0) if len(planes) == 1 else planes
    return Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
