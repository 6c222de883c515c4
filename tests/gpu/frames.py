"""Frames for the tests of Restorers on an emulated GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import restore_rt
from restore_rt import Planes, Restorer

__all__ = ["MODEL", "TILE", "Array", "load", "picture", "planes_of", "same"]

Array = NDArray[Any]

MODEL = "video-x2-fast"
TILE = (48, 64)


def load(model: str = MODEL, **options: Any) -> Restorer:
    return restore_rt.load(
        model, **{"device": "cuda", "backend": "onnxruntime", "tile": TILE, "threads": 1, **options}
    )


def picture(*shape: int, dtype: type = np.uint8, seed: int = 0) -> Array:
    values = np.random.default_rng(seed).random(shape)
    if dtype is np.float32:
        return values.astype(np.float32)
    return (values * np.iinfo(dtype).max).astype(dtype)


def planes_of(height: int, width: int, bit_depth: int = 8, seed: int = 0) -> Planes:
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    rng = np.random.default_rng(seed)
    half = (-(-height // 2), -(-width // 2))
    y, cb, cr = (
        rng.integers(0, 1 << bit_depth, shape, dtype) for shape in ((height, width), half, half)
    )
    return Planes(y, cb, cr, bit_depth=bit_depth)


def same(result: Any, expected: Any) -> None:
    if isinstance(expected, Planes):
        for name in ("y", "cb", "cr"):
            np.testing.assert_array_equal(getattr(result, name), getattr(expected, name))
    else:
        np.testing.assert_array_equal(result, expected)
