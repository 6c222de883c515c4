"""Tiles, and the results that are expected of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from restore_rt.tiled.session import OnnxRuntimeBackend

SHAPE = (2, 1, 12, 20)
OTHER = (1, 1, 16, 16)


def tiles_of(shape: tuple[int, ...] = SHAPE, seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).random(shape, np.float32)


def expected_of(model: onnx.ModelProto, tiles: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    count, channels, height, width = tiles.shape
    out = np.empty((count, channels, 2 * height, 2 * width), np.float32)
    OnnxRuntimeBackend(model, threads=1).run(tiles, out)
    return out
