"""What a QDQ graph gives by ONNX's definitions, in NumPy.

The sums of int8 layers are whole numbers and exact. All else is computed in float64, and rounded
to float32 only where a QuantizeLinear divides, so no engine's order of additions matters here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]


@dataclass
class Steps:
    """Whole numbers (C, H, W) or weights, and the scale of all or of each output channel."""

    whole: NDArray[np.int64]
    scale: Array

    @property
    def real(self) -> Array:
        """The numbers that they stand for."""
        return self.whole * self.scale.reshape(-1, *[1] * (self.whole.ndim - 1))


def run(model: onnx.ModelProto, x: Array) -> Array:
    """Return the output (C, s*H, s*W) in float64 for an input (C, H, W) of floats."""
    values: dict[str, Any] = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    values[model.graph.input[0].name] = x.astype(np.float64)
    for node in model.graph.node:
        given = [values[name] if name else None for name in node.input]
        options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(options["value"])
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear", "Conv"):
            values[node.output[0]] = _STEPS[node.op_type](*given)
        else:
            real = [each.real if isinstance(each, Steps) else each for each in given]
            values[node.output[0]] = _REAL[node.op_type](options, *real)
    result = values[model.graph.output[0].name]
    return result.real if isinstance(result, Steps) else np.asarray(result, np.float64)


def _quantise(x: Array | Steps, scale: Array, zero: Array) -> Steps:
    """Divide in float32 and round halves to even."""
    real = x.real if isinstance(x, Steps) else x
    steps = np.rint(real.astype(np.float32) / scale)
    limits, shift = np.iinfo(zero.dtype), int(zero)
    whole = steps.clip(limits.min - shift, limits.max - shift).astype(np.int64)
    return Steps(whole, scale.astype(np.float64))


def _dequantise(x: Array | Steps, scale: Array, zero: Array | None = None) -> Steps:
    if isinstance(x, Steps):
        return x
    assert zero is None or not zero.any(), "weights have no zero point"
    return Steps(x.astype(np.int64), scale.astype(np.float64))


def _conv(x: Array | Steps, weights: Array | Steps, bias: Array | Steps | None = None) -> Array:
    if isinstance(x, Steps) and isinstance(weights, Steps):
        # Whole numbers below 2^53 stay whole in float64.
        sums = _sums(x.whole.astype(np.float64), weights.whole.astype(np.float64))
        result = sums * (x.scale * weights.scale).reshape(-1, 1, 1)
    else:
        real = [each.real if isinstance(each, Steps) else each for each in (x, weights)]
        result = _sums(*(each.astype(np.float64) for each in real))
    if bias is None:
        return result
    added = bias.real if isinstance(bias, Steps) else bias.astype(np.float64)
    return result + added.reshape(-1, 1, 1)


def _sums(x: Array, weights: Array) -> Array:
    """Convolve, with zeros around the picture."""
    reach, (height, width) = weights.shape[2] // 2, x.shape[1:]
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach)))
    total = np.zeros((len(weights), height * width))
    for dy in range(weights.shape[2]):
        for dx in range(weights.shape[3]):
            part = padded[:, dy : dy + height, dx : dx + width].reshape(len(x), -1)
            total += weights[:, :, dy, dx] @ part
    return total.reshape(-1, height, width)


def _shuffle(options: dict[str, Any], x: Array) -> Array:
    side, (channels, height, width) = options["blocksize"], x.shape
    blocks = x.reshape(channels // side**2, side, side, height, width)
    return blocks.transpose(0, 3, 1, 4, 2).reshape(-1, height * side, width * side)


def _cut(options: dict[str, Any], x: Array, first: Array, end: Array, axis: Array) -> Array:
    assert axis.tolist() == [1], "channels alone are cut"
    return x[int(first[0]) : int(end[0])]


def _enlarge(options: dict[str, Any], x: Array, region: Array, scales: Array) -> Array:
    assert options["mode"] == b"nearest", "bytes are enlarged by repetition alone"
    return x.repeat(int(scales[2]), 1).repeat(int(scales[3]), 2)


_STEPS: dict[str, Callable[..., Any]] = {
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _dequantise,
    "Conv": _conv,
}
_REAL: dict[str, Callable[..., Array]] = {
    "Relu": lambda options, x: np.maximum(x, 0),
    "LeakyRelu": lambda options, x: np.where(x > 0, x, x * np.float64(options["alpha"])),
    "Clip": lambda options, x, low, high: x.clip(low, high),
    "Add": lambda options, x, other: x + other,
    "Resize": _enlarge,
    "DepthToSpace": _shuffle,
    "Slice": _cut,
}
