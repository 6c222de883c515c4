"""What a QDQ graph gives by ONNX's definitions, in NumPy.

The sums of int8 layers are whole numbers and exact, bias included; to become bytes they are
multiplied once, in float32, by their own scale over that of the bytes, as in a QLinearConv. Floats
are computed in float64, and rounded to float32 only where a QuantizeLinear divides them, so no
engine's order of additions matters here.
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
    """Whole numbers (C, H, W) or weights, and the scale of all or of each output channel.

    Those of a layer's sums are not rounded to bytes yet.
    """

    whole: NDArray[np.int64]
    scale: NDArray[np.float32]
    sums: bool = False

    @property
    def real(self) -> Array:
        """The numbers that they stand for."""
        return self.whole * _by_channel(self.scale.astype(np.float64), self.whole.ndim)


def run(model: onnx.ModelProto, x: Array) -> Array:
    """Return the output (C, s*H, s*W) in float64 for an input (C, H, W) of floats."""
    result = tensors(model, x)[model.graph.output[0].name]
    return result.real if isinstance(result, Steps) else np.asarray(result, np.float64)


def tensors(model: onnx.ModelProto, x: Array) -> dict[str, Any]:
    """Return every tensor of the graph by its name, those of bytes as ``Steps``."""
    values: dict[str, Any] = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    values[model.graph.input[0].name] = x.astype(np.float64)
    for node in model.graph.node:
        given = [values[name] if name else None for name in node.input]
        options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(options["value"])
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear", "Conv"):
            values[node.output[0]] = _STEPS[node.op_type](*given)
        elif isinstance(given[0], Steps) and node.op_type in ("Relu", "Slice"):
            # Of whole numbers these are whole.
            made = _REAL[node.op_type](options, given[0].whole, *given[1:])
            scale = np.atleast_1d(given[0].scale)[: len(made)]
            values[node.output[0]] = Steps(made, scale, given[0].sums)
        else:
            real = [each.real if isinstance(each, Steps) else each for each in given]
            values[node.output[0]] = _REAL[node.op_type](options, *real)
    return values


def _by_channel(scale: Array, dimensions: int) -> Array:
    return scale.reshape(-1, *[1] * (dimensions - 1))


def quantise(x: Array | Steps, scale: Array, zero: Array) -> Steps:
    """Round halves to even."""
    steps: Array
    if isinstance(x, Steps) and x.sums:
        steps = x.whole.astype(np.float32) * _by_channel(x.scale / scale, 3)
    else:
        steps = (x.real if isinstance(x, Steps) else x).astype(np.float32) / scale
    limits, shift = np.iinfo(zero.dtype), int(zero)
    whole = np.rint(steps).clip(limits.min - shift, limits.max - shift).astype(np.int64)
    return Steps(whole, scale)


def _dequantise(x: Array | Steps, scale: Array, zero: Array | None = None) -> Steps:
    if isinstance(x, Steps):
        return x
    assert zero is None or not zero.any(), "weights have no zero point"
    return Steps(x.astype(np.int64), scale)


def _conv(
    x: Array | Steps, weights: Array | Steps, bias: Array | Steps | None = None
) -> Array | Steps:
    if isinstance(x, Steps) and isinstance(weights, Steps):
        assert bias is None or isinstance(bias, Steps), "the bias of sums is whole"
        # Whole numbers below 2^53 stay whole in float64.
        sums = _sums(x.whole.astype(np.float64), weights.whole.astype(np.float64))
        added = 0 if bias is None else _by_channel(bias.whole, 3)
        scale = np.broadcast_to(x.scale * weights.scale, len(sums))
        return Steps(sums.astype(np.int64) + added, scale, sums=True)
    real = [
        each.real if isinstance(each, Steps) else np.asarray(each, np.float64)
        for each in (x, weights, 0 if bias is None else bias)
    ]
    return _sums(*real[:2]) + real[2].reshape(-1, 1, 1)


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
    "QuantizeLinear": quantise,
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
