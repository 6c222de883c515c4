"""BT.601 luma, the scale on which the field measures PSNR."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["luma"]

_WEIGHTS = np.array([65.481, 128.553, 24.966], np.float32) / np.float32(255)


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Limited-range luma, 16 to 235 and not rounded, of (H, W, 3) 8-bit RGB."""
    return (rgb.astype(np.float32) @ _WEIGHTS + np.float32(16)).astype(np.float32)
