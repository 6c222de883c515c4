"""Layers of the native backend as they are read from an ONNX graph, and the values they make."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.native.nodes import UnsupportedError, refusal
from restore_rt.native.quantization import Constants, Quantisation

if TYPE_CHECKING:
    import onnx

__all__ = ["Reader", "Value", "identity", "keep_outputs"]


@dataclass
class Value:
    """A tensor: what layer ``index - 1`` makes (0 is the frame), then shuffled or enlarged."""

    index: int
    channels: int
    shuffle: int = 1
    # Nearest enlargement that is not made yet, since it may be a residual under the shuffle.
    enlarged: int = 1
    # The value in bytes that this one is, and whether it is to be made floats yet.
    in_bytes: int = 0
    pending: bool = False


@dataclass
class Reader:
    """The layers read so far, and the tensors of the graph that they make."""

    constants: Constants
    uses: Counter[str]
    # Tensors of which some reader needs floats.
    floats: set[str]
    # Tensors on which a convolution depends.
    inner: set[str]
    # Tensors that are of type uint8.
    raw: set[str] = field(default_factory=set)
    values: dict[str, Value] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    quantisations: dict[int, Quantisation] = field(default_factory=dict)

    def source(self, node: onnx.NodeProto, position: int) -> Value:
        """Return an input of a node as it is."""
        name = node.input[position]
        if name not in self.values:
            raise refusal(node, f"its input {name!r} is no picture that the network makes")
        if name in self.raw and node.op_type != "DequantizeLinear":
            raise refusal(node, "it reads what a QuantizeLinear gives; only DequantizeLinear may")
        return self.values[name]

    def alias(self, node: onnx.NodeProto) -> Value:
        """Return the first input of a node, which gives it another name."""
        # What reads either name reads the same layer.
        self.uses[node.output[0]] += self.uses[node.input[0]] - 1
        return self.source(node, 0)

    def plain(self, node: onnx.NodeProto, position: int = 0) -> Value:
        """Return an input at its own resolution, made now if it was put off."""
        value = self.source(node, position)
        if value.shuffle > 1:
            raise refusal(node, "it comes after a DepthToSpace, which must be the last step")
        if value.enlarged > 1:
            value = self.enlarge(value)
            self.values[node.input[position]] = value
        if value.pending:
            value = self.made_floats(value, node.input[position])
        return value

    def append(self, layer: dict[str, Any], channels: int, *, shuffle: int = 1) -> Value:
        """Add a layer, and return what it makes."""
        self.layers.append(layer)
        return Value(len(self.layers), channels, shuffle)

    def enlarge(self, value: Value) -> Value:
        """Make the nearest enlargement that was put off."""
        layer = {"step": "nearest", "source": value.index, "factor": value.enlarged}
        return self.append(layer, value.channels)

    def made_floats(self, value: Value, name: str) -> Value:
        """Make the floats that a tensor's bytes stand for."""
        layer = self.layers[value.index - 1]
        if layer.get("bytes") and self.uses[name] == 1:
            layer["bytes"] = False
            made = Value(value.index, value.channels)
        else:
            step = {"step": "dequantise", "source": value.in_bytes}
            made = replace(self.append(step, value.channels), in_bytes=value.in_bytes)
        self.values[name] = made
        return made

    def open_layer(self, name: str) -> dict[str, Any] | None:
        """Return the convolution that makes a tensor if what follows can become a part of it."""
        value = self.values.get(name)
        if value is None or value.index == 0 or value.enlarged > 1 or self.uses[name] > 1:
            return None
        layer = self.layers[value.index - 1]
        fits = layer["step"] == "convolution" and "activation" not in layer
        return layer if fits else None

    def own_layer(self, node: onnx.NodeProto) -> tuple[Value, dict[str, Any]]:
        """Return a convolution whose outputs may be reordered or left out, and what it makes.

        That is the one that makes the node's first input if no other node reads that and nothing
        is added in it; else a new one, which changes nothing.
        """
        value = self.source(node, 0)
        layer = self.layers[value.index - 1] if value.index else {}
        alone = self.uses[node.input[0]] == value.shuffle == value.enlarged == 1
        if not alone or layer.get("step") != "convolution" or "residual" in layer:
            value = self.plain(node)
            layer = identity(value)
            value = self.append(layer, value.channels)
        return value, layer

    def finish(self, name: str) -> int:
        """Make the output the last value; return its shuffle."""
        if name in self.raw:
            raise UnsupportedError(f"the native backend cannot give the bytes of {name!r}")
        value = self.values[name]
        if value.enlarged > 1:
            value = self.enlarge(value)
        if value.pending:
            value = self.made_floats(value, name)
        if value.index != len(self.layers):
            value = self.append(identity(value), value.channels, shuffle=value.shuffle)
        return value.shuffle


def identity(value: Value) -> dict[str, Any]:
    """Return a convolution that changes nothing, for what must be a part of one."""
    weights = np.eye(value.channels, dtype=np.float32)[:, :, np.newaxis, np.newaxis]
    return {
        "step": "convolution",
        "source": value.index,
        "weights": weights,
        "bias": np.zeros(value.channels, np.float32),
    }


def keep_outputs(layer: dict[str, Any], order: NDArray[np.int64]) -> None:
    """Keep these outputs of a convolution, in this order."""
    for key in ("weights", "bias", "scales", "slopes"):
        if key in layer:
            layer[key] = np.ascontiguousarray(layer[key][order])
