"""BT.601 luma, the scale on which the field measures PSNR, and its weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BT601", "full_range_luma", "luma"]

# Red, green and blue.
BT601 = (0.299, 0.587, 0.114)
_LIMITED = (np.array(BT601) * 219).astype(np.float32) / np.float32(255)


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Limited-range luma, 16 to 235 and not rounded, of (H, W, 3) 8-bit RGB."""
    return (rgb.astype(np.float32) @ _LIMITED + np.float32(16)).astype(np.float32)


def full_range_luma(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Full-range luma, 0 to 255 and not rounded, of (H, W, 3) 8-bit RGB: grey stays as it is."""
    return np.asarray(rgb @ np.array(BT601))
