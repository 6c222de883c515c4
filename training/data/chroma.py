"""Training data of chroma networks: 4:2:0 planes of RGB, and what such a network reads of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.model.manifest import CHROMA
from restore_rt.training.colour import luma

__all__ = ["CHROMA", "GREY", "chroma_inputs", "chroma_of", "full_range", "i420_of"]

U8 = NDArray[np.uint8]
# The sample value of no colour.
GREY = 128
# Cb and Cr of BT.601, limited range.
_WEIGHTS = np.array(
    [[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
) * np.float32(224 / 255)


def i420_of(rgb: U8) -> U8:
    """Return (H, W, 3) of even sides as I420, (1.5 H, W): luma, then Cb and Cr at half size.

    BT.601, limited range. Chroma lies on the left one of two luma samples and between two rows, as
    in H.264: columns are weighed 1, 2, 1, and rows averaged.
    """
    height, width = rgb.shape[:2]
    parts = [np.rint(luma(rgb)).astype(np.uint8).ravel()]
    for plane in np.moveaxis(rgb.astype(np.float32) @ _WEIGHTS.T, 2, 0):
        wide = np.pad(plane, ((0, 0), (1, 0)), "edge")
        across = (wide[:, :-2:2] + 2 * wide[:, 1:-1:2] + wide[:, 2::2]) / 4
        down = (across[::2] + across[1::2]) / 2
        parts.append(np.clip(np.rint(down + GREY), 0, 255).astype(np.uint8).ravel())
    return np.concatenate(parts).reshape(height * 3 // 2, width)


def chroma_of(i420: U8) -> U8:
    """Return Cb and Cr of I420, (2, H / 2, W / 2)."""
    height, width = i420.shape[0] * 2 // 3, i420.shape[1]
    return i420[height:].reshape(2, height // 2, width // 2)


def full_range(i420: U8) -> U8:
    """Stretch I420 from limited to full range."""
    height = i420.shape[0] * 2 // 3
    stretched = (i420.astype(np.float32) - GREY) * np.float32(255 / 224) + GREY
    stretched[:height] = (i420[:height].astype(np.float32) - 16) * np.float32(255 / 219)
    return np.asarray(np.clip(np.rint(stretched), 0, 255), np.uint8)


def chroma_inputs(i420: U8) -> NDArray[np.float16]:
    """Return what a chroma network reads of I420, (16, H / 2, W / 2)."""
    height = i420.shape[0] * 2 // 3
    cb, cr = chroma_of(i420)
    inputs = np.empty((*cb.shape, 16), np.float32)
    _ext.chroma_inputs_into(inputs, (i420[:height], cb, cr))
    return np.ascontiguousarray(inputs.transpose(2, 0, 1), np.float16)
