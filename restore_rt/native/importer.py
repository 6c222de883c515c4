"""From an ONNX graph to the layers of the native backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.chroma import CHROMA_INPUTS
from restore_rt.model.graph import inputs_of
from restore_rt.native.blocks import find_gathers, find_inner, in_places
from restore_rt.native.nodes import (
    UnsupportedError,
    attributes,
    check_convolution,
    kept_channels,
    refusal,
)
from restore_rt.native.quantization import Constants, Quantisation, quantisation_of, rounds_in_place

if TYPE_CHECKING:
    import onnx

__all__ = ["Layers", "read_layers"]

_MOST_CHANNELS = 1024


@dataclass
class Layers:
    """What ``_ext.Network`` is made from."""

    channels: int
    shuffle: int
    unshuffle: int
    layers: list[dict[str, Any]]


@dataclass
class _Value:
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
class _Reader:
    constants: Constants
    uses: Counter[str]
    # Tensors of which some reader needs floats.
    floats: set[str]
    # Tensors that are of type uint8.
    raw: set[str] = field(default_factory=set)
    values: dict[str, _Value] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    quantisations: dict[int, Quantisation] = field(default_factory=dict)
    # Side of the blocks of pixels that are the channels of value 0.
    unshuffle: int = 1
    # Tensors on which a convolution depends.
    inner: set[str] = field(default_factory=set)

    def begin(self, nodes: Sequence[onnx.NodeProto], frame: str, channels: int) -> None:
        """Find the sizes at which the nodes read the frame; the smallest one is value 0."""
        self.inner = find_inner(nodes)
        gathers = find_gathers(nodes, self.constants, frame)
        self.unshuffle = max([1, *gathers.values()])
        sides = dict(gathers)
        if self.uses[frame] > len(gathers) or not gathers:
            sides[frame] = 1
        for name, side in sides.items():
            factor = self.unshuffle // side
            made = _Value(0, channels * side**2)
            if factor > 1:
                step = {"step": "frame", "source": 0, "factor": factor}
                made = self._append(step, made.channels)
            self.values[name] = made

    def read(self, node: onnx.NodeProto) -> None:
        """Take one node in."""
        readers = {
            "Conv": self._convolution,
            "Relu": self._activation,
            "LeakyRelu": self._activation,
            "PRelu": self._activation,
            "Clip": self._activation,
            "Add": self._addition,
            "Resize": self._resize,
            "DepthToSpace": self._shuffle,
            "Identity": self._alias,
            "Slice": self._slice,
            "QuantizeLinear": self._quantise,
            "DequantizeLinear": self._dequantise,
        }
        reader = readers.get(node.op_type)
        if reader is None:
            raise refusal(node, f"it runs {', '.join(readers)} alone")
        self.values[node.output[0]] = reader(node)

    def finish(self, name: str) -> tuple[int, int]:
        """Return the index and the shuffle of the output, which must be the last value."""
        if name in self.raw:
            raise UnsupportedError(f"the native backend cannot give the bytes of {name!r}")
        value = self.values[name]
        if value.enlarged > 1:
            value = self._enlarge(value)
        if value.pending:
            value = self._made_floats(value, name)
        if value.index != len(self.layers):
            value = self._append(_identity(value), value.channels, shuffle=value.shuffle)
        return value.index, value.shuffle

    def _source(self, node: onnx.NodeProto, position: int) -> _Value:
        name = node.input[position]
        if name not in self.values:
            raise refusal(node, f"its input {name!r} is no picture that the network makes")
        if name in self.raw and node.op_type != "DequantizeLinear":
            raise refusal(node, "it reads what a QuantizeLinear gives; only DequantizeLinear may")
        return self.values[name]

    def _alias(self, node: onnx.NodeProto) -> _Value:
        # What reads either name reads the same layer.
        self.uses[node.output[0]] += self.uses[node.input[0]] - 1
        return self._source(node, 0)

    def _plain(self, node: onnx.NodeProto, position: int = 0) -> _Value:
        """Return an input at its own resolution, made now if it was put off."""
        value = self._source(node, position)
        if value.shuffle > 1:
            raise refusal(node, "it comes after a DepthToSpace, which must be the last step")
        if value.enlarged > 1:
            value = self._enlarge(value)
            self.values[node.input[position]] = value
        if value.pending:
            value = self._made_floats(value, node.input[position])
        return value

    def _append(self, layer: dict[str, Any], channels: int, *, shuffle: int = 1) -> _Value:
        self.layers.append(layer)
        return _Value(len(self.layers), channels, shuffle)

    def _enlarge(self, value: _Value) -> _Value:
        layer = {"step": "nearest", "source": value.index, "factor": value.enlarged}
        return self._append(layer, value.channels)

    def _convolution(self, node: onnx.NodeProto) -> _Value:
        source = self._source(node, 0)
        int8 = self.constants.int8.get(node.input[1]) if source.in_bytes else None
        if int8 is None:
            source = self._plain(node)
        weights = self.constants.get(node, 1)
        if weights is None or weights.ndim != 4 or weights.shape[2:] not in ((1, 1), (3, 3)):
            raise refusal(node, "it runs kernels of 1x1 and 3x3 alone")
        if weights.shape[1] != source.channels or max(weights.shape) > _MOST_CHANNELS:
            raise refusal(node, f"its weights have shape {weights.shape}")
        check_convolution(node, side=weights.shape[2])
        bias = self.constants.get(node, 2)
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
        return self._append(layer, len(weights))

    def _quantise(self, node: onnx.NodeProto) -> _Value:
        to = quantisation_of(node, self.constants.get(node, 1), self.constants.get(node, 2))
        name = node.input[0]
        value = self._source(node, 0)
        layer = self.layers[value.index - 1] if value.index else {}
        plain = value.shuffle == value.enlarged == 1
        if plain and self.uses[name] == 1 and rounds_in_place(layer):
            layer |= {"result": (to.scale, to.zero), "bytes": True}
        else:
            value = self._plain(node)
            layer = {"step": "quantise", "source": value.index, "result": (to.scale, to.zero)}
            value = self._append(layer, value.channels)
        self.quantisations[value.index] = to
        self.raw.add(node.output[0])
        return replace(value, in_bytes=value.index, pending=True)

    def _dequantise(self, node: onnx.NodeProto) -> _Value:
        to = quantisation_of(node, self.constants.get(node, 1), self.constants.get(node, 2))
        value = self._alias(node)
        if to != self.quantisations.get(value.in_bytes):
            raise refusal(node, "it does not undo the QuantizeLinear before it")
        # A residual must be there before the layer that adds it.
        if node.output[0] in self.floats and self.layers[value.index - 1]["step"] == "quantise":
            return self._made_floats(value, node.output[0])
        return value

    def _made_floats(self, value: _Value, name: str) -> _Value:
        """Make the floats that a tensor's bytes stand for."""
        layer = self.layers[value.index - 1]
        if layer.get("bytes") and self.uses[name] == 1:
            layer["bytes"] = False
            made = _Value(value.index, value.channels)
        else:
            step = {"step": "dequantise", "source": value.in_bytes}
            made = replace(self._append(step, value.channels), in_bytes=value.in_bytes)
        self.values[name] = made
        return made

    def _slice(self, node: onnx.NodeProto) -> _Value:
        """Leave out the last channels."""
        value = self._source(node, 0)
        count = kept_channels(node, [self.constants.get(node, i) for i in range(1, 5)])
        count = min(count, value.channels)
        layer = self.layers[value.index - 1] if value.index else {}
        alone = self.uses[node.input[0]] == value.shuffle == value.enlarged == 1
        if not alone or layer.get("step") != "convolution" or "residual" in layer:
            value = self._plain(node)
            layer = _identity(value)
            value = self._append(layer, value.channels)
        for key in ("weights", "bias", "scales", "slopes"):
            if key in layer:
                layer[key] = layer[key][:count]
        return replace(value, channels=count)

    def _open_layer(self, name: str) -> dict[str, Any] | None:
        """Return the convolution that makes a tensor if what follows can become a part of it."""
        value = self.values.get(name)
        if value is None or value.index == 0 or value.enlarged > 1 or self.uses[name] > 1:
            return None
        layer = self.layers[value.index - 1]
        fits = layer["step"] == "convolution" and "activation" not in layer
        return layer if fits else None

    def _activation(self, node: onnx.NodeProto) -> _Value:
        value = self._source(node, 0)
        if value.pending:
            value = self._made_floats(value, node.input[0])
        layer = self._open_layer(node.input[0])
        if layer is None:
            plain = self._plain(node)
            layer = _identity(plain)
            value = self._append(layer, plain.channels)
        if node.op_type == "Relu":
            layer["activation"] = "relu"
        elif node.op_type == "Clip":
            low, high = self._bounds(node)
            layer |= {"activation": "clip", "low": low, "high": high}
        else:
            slopes = self._slopes(node, value)
            layer |= {"activation": "leaky", "slopes": slopes}
        return value

    def _bounds(self, node: onnx.NodeProto) -> tuple[float, float]:
        low, high = self.constants.get(node, 1), self.constants.get(node, 2)
        return (
            -np.inf if low is None else float(low),
            np.inf if high is None else float(high),
        )

    def _slopes(self, node: onnx.NodeProto, value: _Value) -> NDArray[np.float32]:
        if node.op_type == "LeakyRelu":
            return np.full(value.channels, attributes(node).get("alpha", 0.01), np.float32)
        slopes = self.constants.get(node, 1)
        if slopes is None or value.shuffle > 1 or slopes.size not in (1, value.channels):
            raise refusal(node, "it takes one slope, or one for each channel")
        return np.broadcast_to(slopes.astype(np.float32).reshape(-1), (value.channels,)).copy()

    def _addition(self, node: onnx.NodeProto) -> _Value:
        names = list(node.input)
        first, second = (self._source(node, position) for position in (0, 1))
        # The sum is a part of the later layer, which has the other value by then.
        if first.index < second.index:
            names.reverse()
            first, second = second, first
        if first.shuffle > 1 or second.shuffle > 1:
            return self._addition_under_shuffle(node, names)
        position = list(node.input).index(names[0])
        # The residual comes first.
        second = self._plain(node, 1 - position)
        first = self._plain(node, position)
        layer = self._open_layer(names[0])
        if layer is None or "residual" in layer or first.index <= second.index:
            layer = _identity(first)
            first = self._append(layer, first.channels)
        if second.channels not in (1, first.channels):
            raise refusal(node, f"it adds {second.channels} channels to {first.channels}")
        layer["residual"] = second.index
        return first

    def _addition_under_shuffle(self, node: onnx.NodeProto, names: list[str]) -> _Value:
        """Add a nearest enlargement to shuffled pixels: the same as its source before both."""
        if self.values[names[0]].shuffle == 1:
            names = names[::-1]
        shuffled, other = self.values[names[0]], self.values[names[1]]
        layer = self._open_layer(names[0])
        factor = shuffled.shuffle
        colours = shuffled.channels // factor**2
        fits = other.enlarged == factor and other.channels == colours and other.shuffle == 1
        if layer is None or "residual" in layer or not fits:
            raise refusal(
                node, "after DepthToSpace only a nearest enlargement of the same factor is added"
            )
        residual = other.index
        if colours > 1:
            # Each channel that becomes one colour's pixels takes that colour.
            repeat = np.repeat(np.eye(colours, dtype=np.float32), factor**2, axis=0)
            weights = repeat[:, :, np.newaxis, np.newaxis]
            bias = np.zeros(len(weights), np.float32)
            convolution = {"step": "convolution", "source": residual}
            last = self.layers.pop()
            value = self._append(
                {**convolution, "weights": weights, "bias": bias}, shuffled.channels
            )
            residual = value.index
            self.layers.append(last)
        layer["residual"] = residual
        return _Value(len(self.layers), shuffled.channels, factor)

    def _resize(self, node: onnx.NodeProto) -> _Value:
        source = self._plain(node)
        scales = self.constants.get(node, 2)
        if scales is None or scales.shape != (4,):
            raise refusal(node, "it needs constant scales of four sides")
        factor = int(scales[3])
        if list(scales) != [1, 1, factor, factor] or not 2 <= factor <= 4:
            raise refusal(node, f"its scales are {scales.tolist()}; allowed are 2 to 4 times")
        options = attributes(node)
        mode = options.get("mode", b"nearest").decode()
        centres = options.get("coordinate_transformation_mode", b"half_pixel").decode()
        if mode == "nearest":
            rounding = options.get("nearest_mode", b"round_prefer_floor").decode()
            centred = centres == "half_pixel" and rounding.startswith("round_prefer")
            if (centres, rounding) != ("asymmetric", "floor") and not centred:
                raise refusal(node, f"its coordinates are {centres}, rounded by {rounding}")
            return _Value(source.index, source.channels, 1, factor)
        if mode != "linear" or centres not in ("half_pixel", "pytorch_half_pixel"):
            raise refusal(node, f"its mode is {mode}, its coordinates are {centres}")
        layer = {"step": "bilinear", "source": source.index, "factor": factor}
        return self._append(layer, source.channels)

    def _shuffle(self, node: onnx.NodeProto) -> _Value:
        source = self._plain(node)
        options = attributes(node)
        factor = int(options["blocksize"])
        inner = node.output[0] in self.inner
        if factor not in ((2, 3, 4) if inner else (2, 3, 4, 6, 8)):
            allowed = "2 to 4" if inner else "2 to 4, 6 and 8"
            raise refusal(node, f"its blocks are {factor} a side; allowed are {allowed}")
        if options.get("mode", b"DCR") != b"CRD":
            raise refusal(node, "its mode is DCR; CRD is what PixelShuffle exports as")
        if inner:
            return self._shuffled(source, factor, alone=self.uses[node.input[0]] == 1)
        if self.uses[node.input[0]] > 1:
            # What follows may become a part of the layer, and others read it as it is.
            return self._append(_identity(source), source.channels, shuffle=factor)
        return _Value(source.index, source.channels, factor)

    def _shuffled(self, source: _Value, factor: int, *, alone: bool) -> _Value:
        """Make the pixels of blocks of channels, for others to read."""
        layer = self.layers[source.index - 1] if source.index else {}
        if not alone or layer.get("step") != "convolution" or "residual" in layer:
            layer = _identity(source)
            source = self._append(layer, source.channels)
        order = in_places(source.channels, factor)
        for key in ("weights", "bias", "scales", "slopes"):
            if key in layer:
                layer[key] = np.ascontiguousarray(layer[key][order])
        step = {"step": "shuffle", "source": source.index, "factor": factor}
        return self._append(step, source.channels // factor**2)


def read_layers(model: onnx.ModelProto) -> Layers:
    """Read the network of a model.

    Parameters
    ----------
    model
        One input (N, C, h, w), C being 1, 3 or 4, or 16 of a chroma network, and one output.

    Raises
    ------
    UnsupportedError
        The message names the node that the native backend cannot run, and why.
    """
    graph = model.graph
    inputs = inputs_of(model)
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UnsupportedError(
            f"the native backend cannot run a network of {len(inputs)} inputs and "
            f"{len(graph.output)} outputs; it takes one of each"
        )
    shape = inputs[0].type.tensor_type.shape.dim
    channels = shape[1].dim_value if len(shape) == 4 else 0
    if channels not in (1, 3, 4, CHROMA_INPUTS):
        raise UnsupportedError(
            f"the native backend cannot run a network whose input has {channels or 'unknown'} "
            "channels; it takes 1, 3 and 4, and 16 of a chroma network"
        )
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(output.name for output in graph.output)
    kept = ("Conv", "QuantizeLinear", "DequantizeLinear")
    floats = {name for node in graph.node if node.op_type not in kept for name in node.input}
    reader = _Reader(Constants(graph.initializer), uses, floats)
    nodes = [node for node in graph.node if not reader.constants.take(node)]
    reader.begin(nodes, inputs[0].name, channels)
    for node in nodes:
        if node.output[0] not in reader.values:
            reader.read(node)
    _, shuffle = reader.finish(graph.output[0].name)
    return Layers(channels, shuffle, reader.unshuffle, reader.layers)


def _identity(value: _Value) -> dict[str, Any]:
    """Make a convolution that changes nothing, for what must be a part of one."""
    weights = np.eye(value.channels, dtype=np.float32)[:, :, np.newaxis, np.newaxis]
    return {
        "step": "convolution",
        "source": value.index,
        "weights": weights,
        "bias": np.zeros(value.channels, np.float32),
    }
