"""Convolutions of the native backend, and what becomes a part of them, from an ONNX graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from restore_rt.native.nodes import attributes, check_convolution, kept_channels, refusal
from restore_rt.native.quantization import quantisation_of, rounds_in_place
from restore_rt.native.reader import Reader, Value, identity, keep_outputs
from restore_rt.native.sizes import addition_under_shuffle

if TYPE_CHECKING:
    import onnx

__all__ = ["activation", "addition", "convolution", "dequantise", "leave_out", "quantise"]

MOST_CHANNELS = 1024


def convolution(reader: Reader, node: onnx.NodeProto) -> Value:
    """Read a Conv of plain kernels that keeps the size."""
    source = reader.source(node, 0)
    int8 = reader.constants.int8.get(node.input[1]) if source.in_bytes else None
    if int8 is None:
        source = reader.plain(node)
    weights = reader.constants.get(node, 1)
    if weights is None or weights.ndim != 4 or weights.shape[2:] not in ((1, 1), (3, 3)):
        raise refusal(node, "it runs kernels of 1x1 and 3x3 alone")
    if weights.shape[1] != source.channels or max(weights.shape) > MOST_CHANNELS:
        raise refusal(node, f"its weights have shape {weights.shape}")
    check_convolution(node, side=weights.shape[2])
    bias = reader.constants.get(node, 2)
    if bias is None:
        bias = np.zeros(len(weights), np.float32)
    layer = {
        "step": "convolution",
        "source": source.index,
        "weights": np.ascontiguousarray(weights, np.float32),
        "bias": np.ascontiguousarray(bias, np.float32),
    }
    if int8 is not None:
        layer["source"] = source.in_bytes
        layer["weights"], layer["scales"] = int8.values.astype(np.float32), int8.scales
    return reader.append(layer, len(weights))


def leave_out(reader: Reader, node: onnx.NodeProto) -> Value:
    """Read a Slice that leaves out the last channels."""
    value, layer = reader.own_layer(node)
    count = kept_channels(node, [reader.constants.get(node, i) for i in range(1, 5)])
    count = min(count, value.channels)
    keep_outputs(layer, np.arange(count))
    return replace(value, channels=count)


def activation(reader: Reader, node: onnx.NodeProto) -> Value:
    """Read a Relu, Clip, LeakyRelu or PRelu, as a part of the layer before it if it can be one."""
    value = reader.source(node, 0)
    if value.pending:
        value = reader.made_floats(value, node.input[0])
    layer = reader.open_layer(node.input[0])
    if layer is None:
        plain = reader.plain(node)
        layer = identity(plain)
        value = reader.append(layer, plain.channels)
    if node.op_type == "Relu":
        layer["activation"] = "relu"
    elif node.op_type == "Clip":
        low, high = _bounds(reader, node)
        layer |= {"activation": "clip", "low": low, "high": high}
    else:
        slopes = _slopes(reader, node, value)
        layer |= {"activation": "leaky", "slopes": slopes}
    return value


def _bounds(reader: Reader, node: onnx.NodeProto) -> tuple[float, float]:
    low, high = reader.constants.get(node, 1), reader.constants.get(node, 2)
    return (
        -np.inf if low is None else float(low),
        np.inf if high is None else float(high),
    )


def _slopes(reader: Reader, node: onnx.NodeProto, value: Value) -> NDArray[np.float32]:
    if node.op_type == "LeakyRelu":
        return np.full(value.channels, attributes(node).get("alpha", 0.01), np.float32)
    slopes = reader.constants.get(node, 1)
    if slopes is None or value.shuffle > 1 or slopes.size not in (1, value.channels):
        raise refusal(node, "it takes one slope, or one for each channel")
    return np.broadcast_to(slopes.astype(np.float32).reshape(-1), (value.channels,)).copy()


def addition(reader: Reader, node: onnx.NodeProto) -> Value:
    """Read an Add, as a part of the later one of the layers that it adds."""
    names = list(node.input)
    first, second = (reader.source(node, position) for position in (0, 1))
    # The sum is a part of the later layer, which has the other value by then.
    if first.index < second.index:
        names.reverse()
        first, second = second, first
    if first.shuffle > 1 or second.shuffle > 1:
        return addition_under_shuffle(reader, node, names)
    position = list(node.input).index(names[0])
    # The residual comes first.
    second = reader.plain(node, 1 - position)
    first = reader.plain(node, position)
    layer = reader.open_layer(names[0])
    if layer is None or "residual" in layer or first.index <= second.index:
        layer = identity(first)
        first = reader.append(layer, first.channels)
    if second.channels not in (1, first.channels):
        raise refusal(node, f"it adds {second.channels} channels to {first.channels}")
    layer["residual"] = second.index
    return first


def quantise(reader: Reader, node: onnx.NodeProto) -> Value:
    """Read a QuantizeLinear."""
    to = quantisation_of(node, reader.constants.get(node, 1), reader.constants.get(node, 2))
    name = node.input[0]
    value = reader.source(node, 0)
    layer = reader.layers[value.index - 1] if value.index else {}
    plain = value.shuffle == value.enlarged == 1
    if plain and reader.uses[name] == 1 and rounds_in_place(layer):
        layer |= {"result": (to.scale, to.zero), "bytes": True}
    else:
        value = reader.plain(node)
        layer = {"step": "quantise", "source": value.index, "result": (to.scale, to.zero)}
        value = reader.append(layer, value.channels)
    reader.quantisations[value.index] = to
    reader.raw.add(node.output[0])
    return replace(value, in_bytes=value.index, pending=True)


def dequantise(reader: Reader, node: onnx.NodeProto) -> Value:
    """Read a DequantizeLinear of what a QuantizeLinear gives."""
    to = quantisation_of(node, reader.constants.get(node, 1), reader.constants.get(node, 2))
    value = reader.alias(node)
    if to != reader.quantisations.get(value.in_bytes):
        raise refusal(node, "it does not undo the QuantizeLinear before it")
    # A residual must be there before the layer that adds it.
    if node.output[0] in reader.floats and reader.layers[value.index - 1]["step"] == "quantise":
        return reader.made_floats(value, node.output[0])
    return value
