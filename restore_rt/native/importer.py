"""From an ONNX graph to the layers of the native backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restore_rt import _ext
from restore_rt.chroma import CHROMA_INPUTS
from restore_rt.model.graph import inputs_of
from restore_rt.native import convolutions, sizes
from restore_rt.native.nodes import UnsupportedError, refusal
from restore_rt.native.quantization import Constants
from restore_rt.native.reader import Reader, Value
from restore_rt.native.sizes import find_inner, read_frame

if TYPE_CHECKING:
    import onnx

__all__ = ["Layers", "read_layers"]

READERS: Mapping[str, Callable[[Reader, onnx.NodeProto], Value]] = {
    "Conv": convolutions.convolution,
    "Relu": convolutions.activation,
    "LeakyRelu": convolutions.activation,
    "PRelu": convolutions.activation,
    "Clip": convolutions.activation,
    "Add": convolutions.addition,
    "Resize": sizes.resize,
    "DepthToSpace": sizes.shuffle,
    "Identity": Reader.alias,
    "Slice": convolutions.leave_out,
    "QuantizeLinear": convolutions.quantise,
    "DequantizeLinear": convolutions.dequantise,
}


@dataclass
class Layers:
    """What ``_ext.Network`` is made from."""

    channels: int
    shuffle: int
    unshuffle: int
    layers: list[dict[str, Any]]

    def network(self, precision: str) -> _ext.Network:
        """Make the network, in ``"fp32"`` or ``"bf16"``."""
        return _ext.Network(
            self.layers,
            channels=self.channels,
            shuffle=self.shuffle,
            unshuffle=self.unshuffle,
            precision=precision,
        )


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
    constants = Constants(graph.initializer)
    nodes = [node for node in graph.node if not constants.take(node)]
    reader = Reader(constants, uses, floats, find_inner(nodes))
    unshuffle = read_frame(reader, nodes, inputs[0].name, channels)
    for node in nodes:
        if node.output[0] not in reader.values:
            _read(reader, node)
    shuffle = reader.finish(graph.output[0].name)
    return Layers(channels, shuffle, unshuffle, reader.layers)


def _read(reader: Reader, node: onnx.NodeProto) -> None:
    read = READERS.get(node.op_type)
    if read is None:
        raise refusal(node, f"it runs {', '.join(READERS)} alone")
    reader.values[node.output[0]] = read(reader, node)
