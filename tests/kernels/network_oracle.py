"""What ``_ext.Network`` computes, in NumPy: floats in float64, bytes exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def run(
    layers: Sequence[Mapping[str, Any]],
    frame: Array,
    *,
    shuffle: int,
    unshuffle: int = 1,
    peak: float | None = None,
) -> Array:
    """Return the result for a frame, (s*H, s*W, C), not yet rounded."""
    white = peak or (1.0 if frame.dtype == np.float32 else np.iinfo(frame.dtype).max)
    scaled = np.atleast_3d(frame).astype(np.float64) / white
    values: list[Any] = [_unshuffle(scaled, unshuffle, unshuffle)]
    for layer in layers:
        source = values[layer["source"]]
        if layer["step"] == "quantise":
            values.append(Bytes.of(source, *layer["result"]))
        elif layer["step"] == "dequantise":
            values.append(source.real())
        elif layer["step"] == "convolution":
            residual = layer.get("residual")
            added = None if residual is None else values[residual]
            convolve = _convolve_bytes if "scales" in layer else _convolve
            values.append(convolve(layer, source, added))
        elif layer["step"] == "frame":
            values.append(_unshuffle(scaled, unshuffle // layer["factor"], unshuffle))
        elif layer["step"] == "shuffle":
            # Places of the block come before channels.
            places = layer["factor"] ** 2
            order = np.arange(source.shape[2]).reshape(places, -1).T.reshape(-1)
            values.append(_shuffle(source[..., order], layer["factor"]))
        elif layer["step"] == "nearest":
            values.append(source.repeat(layer["factor"], 0).repeat(layer["factor"], 1))
        else:
            values.append(_bilinear(_bilinear(source, layer["factor"], 0), layer["factor"], 1))
    scale = values[-1].shape[0] // values[0].shape[0] * shuffle // unshuffle
    height, width = (side * scale for side in frame.shape[:2])
    return _shuffle(values[-1], shuffle)[:height, :width] * white


@dataclass
class Bytes:
    """A value in bytes: how many steps of the scale each is from the zero point."""

    steps: NDArray[np.int64]
    scale: float

    @staticmethod
    def of(source: Array, scale: float, zero: int) -> Bytes:
        """Round to the nearest step, halves to even ones."""
        steps = np.rint((source.astype(np.float32) / np.float32(scale)).clip(-zero, 255 - zero))
        return Bytes(steps.astype(np.int64), scale)

    def real(self) -> Array:
        """Return what they stand for."""
        return self.steps.astype(np.float32) * np.float32(self.scale)


def rounded(result: Array, dtype: type, peak: float | None = None) -> Array:
    """Round as a frame's type does."""
    if dtype is np.float32:
        return result.astype(np.float32)
    whole: Array = np.rint(result.clip(0, peak or np.iinfo(dtype).max)).astype(dtype)
    return whole


def _convolve(layer: Mapping[str, Any], source: Array, residual: Array | None) -> Array:
    weights = layer["weights"].astype(np.float64)
    result = _sums(source, weights) + layer["bias"]
    return _finished(layer, result, residual)


def _sums(source: Array, weights: Array) -> Array:
    side = weights.shape[2]
    reach = side // 2
    padded = np.pad(source, ((reach, reach), (reach, reach), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (0, 1))
    sums: Array = np.einsum("yxcij,ocij->yxo", windows, weights)
    return sums


def _convolve_bytes(
    layer: Mapping[str, Any], source: Bytes, residual: Array | None
) -> Array | Bytes:
    """Sum whole numbers; all that follows is rounded to float32, as the kernels do."""
    step, zero = layer.get("result") or (1.0, 0)
    sums = _sums(source.steps, layer["weights"].astype(np.int64))
    exact = np.float64(np.float32(source.scale)) * layer["scales"].astype(np.float64)
    sums += np.rint(layer["bias"] / exact).astype(np.int64)
    scales = layer["scales"] * np.float32(source.scale) / np.float32(step)
    result: Array = sums.astype(np.float32) * scales
    if layer.get("result"):
        result = np.rint(result.clip(-zero, 255 - zero))
        if layer.get("bytes"):
            kept = np.maximum(result, 0) if layer.get("activation") == "relu" else result
            return Bytes(kept.astype(np.int64), step)
        result = result * np.float32(step)
    return _finished(layer, result, residual)


def _finished(layer: Mapping[str, Any], result: Array, residual: Array | None) -> Array:
    if residual is not None:
        # Of float32 the sum is one, too.
        result = result + residual.astype(result.dtype)
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


def _unshuffle(frame: Array, side: int, multiple: int) -> Array:
    """Make channels of the pixels of each block; what is missing of a multiple is reflected."""
    for axis in (0, 1):
        more = -frame.shape[axis] % multiple
        pads = [(0, more if axis == other else 0) for other in range(3)]
        frame = np.pad(frame, pads, "reflect" if more < frame.shape[axis] else "edge")
    height, width, channels = frame.shape
    blocks = frame.reshape(height // side, side, width // side, side, channels)
    return blocks.transpose(0, 2, 4, 1, 3).reshape(height // side, width // side, -1)


def _shuffle(value: Array, side: int) -> Array:
    height, width, channels = value.shape
    blocks = value.reshape(height, width, channels // side**2, side, side)
    return blocks.transpose(0, 3, 1, 4, 2).reshape(height * side, width * side, -1)
