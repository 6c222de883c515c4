"""What ``_ext.Network`` computes, in NumPy and float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def run(
    layers: Sequence[Mapping[str, Any]], frame: Array, *, shuffle: int, peak: float | None = None
) -> Array:
    """Return the result for a frame, (s*H, s*W, C), not yet rounded."""
    white = peak or (1.0 if frame.dtype == np.float32 else np.iinfo(frame.dtype).max)
    values = [np.atleast_3d(frame).astype(np.float64) / white]
    for layer in layers:
        source = values[layer["source"]]
        if layer["step"] == "convolution":
            residual = layer.get("residual")
            values.append(_convolve(layer, source, None if residual is None else values[residual]))
        elif layer["step"] == "nearest":
            values.append(source.repeat(layer["factor"], 0).repeat(layer["factor"], 1))
        else:
            values.append(_bilinear(_bilinear(source, layer["factor"], 0), layer["factor"], 1))
    return _shuffle(values[-1], shuffle) * white


def rounded(result: Array, dtype: type, peak: float | None = None) -> Array:
    """Round as a frame's type does."""
    if dtype is np.float32:
        return result.astype(np.float32)
    whole: Array = np.rint(result.clip(0, peak or np.iinfo(dtype).max)).astype(dtype)
    return whole


def _convolve(layer: Mapping[str, Any], source: Array, residual: Array | None) -> Array:
    weights = layer["weights"].astype(np.float64)
    side = weights.shape[2]
    reach = side // 2
    padded = np.pad(source, ((reach, reach), (reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (0, 1))
    result: Array = np.einsum("yxcij,ocij->yxo", windows, weights) + layer["bias"]
    if residual is not None:
        result = result + residual
    kind = layer.get("activation", "none")
    if kind == "relu":
        result = np.maximum(result, 0)
    elif kind == "leaky":
        result = np.where(result > 0, result, result * layer["slopes"])
    elif kind == "clip":
        result = result.clip(layer["low"], layer["high"])
    return result


def _bilinear(source: Array, factor: int, axis: int) -> Array:
    length = source.shape[axis]
    position = (np.arange(length * factor) + 0.5) / factor - 0.5
    first = np.floor(position).astype(int)
    weight = position - first
    shape = [1, 1, 1]
    shape[axis] = len(weight)
    weight = weight.reshape(shape)
    before = source.take(first.clip(0, length - 1), axis)
    after = source.take((first + 1).clip(0, length - 1), axis)
    blended: Array = before + weight * (after - before)
    return blended


def _shuffle(value: Array, side: int) -> Array:
    height, width, channels = value.shape
    blocks = value.reshape(height, width, channels // side**2, side, side)
    return blocks.transpose(0, 3, 1, 4, 2).reshape(height * side, width * side, -1)
