"""Counts of a network's graph: operators, weights and multiply-adds."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from restore_rt.model.sizing import SizedNetwork, Value
from restore_rt.model.tensors import is_float, size_in_bytes

if TYPE_CHECKING:
    import onnx

__all__ = ["Tensors", "count_operators", "count_tensors", "multiply_adds"]

# Inputs that are settings though they are floats, by operator: scales, limits, regions.
_SETTINGS = {
    "Clip": (1, 2),
    "ConstantOfShape": (0,),
    "DequantizeLinear": (1, 2),
    "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}
# Inputs that are weights though they are whole numbers.
_QUANTIZED = {
    "ConvInteger": (0, 1),
    "DequantizeLinear": (0,),
    "MatMulInteger": (0, 1),
    "QLinearConv": (0, 3, 8),
    "QLinearMatMul": (0, 3),
}
_STANDARD = ("", "ai.onnx")
# These multiply, and how much is not worked out here.
_NOT_COUNTED = frozenset(
    ["Attention", "DeformConv", "DFT", "Einsum", "GRU", "LSTM", "LinearAttention", "RNN", "STFT"]
)


class Tensors:
    """A graph's tensors, divided into weights and constants.

    Weights are trained values: floats, and integers that represent floats. Constants are all
    others: single numbers, scales and zero points of quantization, shapes, limits, and unread
    tensors.

    Attributes
    ----------
    weights, constants
        Number of values; a tensor that several nodes read is counted once.
    bytes
        Memory of both.
    kinds
        ONNX element types of the weights, with the number of values of each.
    """

    def __init__(self) -> None:
        self.weights = self.constants = self.bytes = 0
        self.kinds: Counter[int] = Counter()


def count_tensors(model: onnx.ModelProto) -> Tensors:
    """Count the values in a model's tensors, including those of ``Constant`` nodes."""
    readers: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in _nodes(model):
        for place, name in enumerate(node.input):
            readers[name].append((node.op_type, place))
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensors[node.output[0]] = attribute.t
    found = Tensors()
    for name, tensor in tensors.items():
        count = math.prod(tensor.dims)
        found.bytes += size_in_bytes(tensor.data_type, count) or 0
        wanted, places = _QUANTIZED, readers[name]
        if is_float(tensor.data_type):
            weight = any(place not in _SETTINGS.get(operator, ()) for operator, place in places)
        else:
            weight = any(place in wanted.get(operator, ()) for operator, place in places)
        if weight and tensor.dims:
            found.weights += count
            found.kinds[tensor.data_type] += count
        else:
            found.constants += count
    return found


def count_operators(model: onnx.ModelProto) -> dict[str, int]:
    """Count the nodes by operator, the most frequent first; branches and functions count too.

    An operator outside the standard domain is prefixed with its domain.
    """
    names = (
        node.op_type if node.domain in _STANDARD else f"{node.domain}.{node.op_type}"
        for node in _nodes(model)
    )
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def multiply_adds(network: SizedNetwork) -> int | None:
    """Count the multiply-adds of convolutions and matrix products.

    Biases, activations and interpolation are not counted. None if a needed shape or a multiplying
    operator is unknown.
    """
    total = 0
    for node in network.graph.node:
        count = _multiply_adds(node, network)
        if count is None:
            return None
        total += count
    return total


def _multiply_adds(node: onnx.NodeProto, network: SizedNetwork) -> int | None:
    if any(attribute.HasField("g") for attribute in node.attribute):
        return None
    if node.domain not in _STANDARD or node.op_type in _NOT_COUNTED:
        return None
    operator, values = node.op_type, network.values

    def value(place: int) -> Value | None:
        return values.get(node.input[place]) if place < len(node.input) else None

    out = values.get(node.output[0])
    if operator in ("Conv", "ConvInteger", "QLinearConv"):
        kernel = value(3 if operator == "QLinearConv" else 1)
        return None if out is None or kernel is None else out.count * math.prod(kernel.shape[1:])
    if operator == "ConvTranspose":
        source, kernel = value(0), value(1)
        return None if not (source and kernel) else source.count * math.prod(kernel.shape[1:])
    if operator in ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul"):
        left = value(0)
        if out is None or left is None or not left.shape:
            return None
        flipped = any(item.name == "transA" and item.i for item in node.attribute)
        return out.count * left.shape[0 if flipped else -1]
    return 0


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    waiting = [*reversed(model.graph.node)]
    waiting += [node for function in model.functions for node in reversed(function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting += reversed(graph.node)
