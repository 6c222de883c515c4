"""Frames to restore."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def enlarged(frame: NDArray[Any], scale: int) -> NDArray[Any]:
    return frame.repeat(scale, 0).repeat(scale, 1)


def random_frame(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    if dtype == np.float32:
        return rng.random(shape, np.float32) * 3 - 1
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
