"""Changes of size in an ONNX graph: blocks of pixels as channels and back, and enlargements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.native.nodes import attributes, refusal
from restore_rt.native.quantization import Constants
from restore_rt.native.reader import Reader, Value, identity, keep_outputs

if TYPE_CHECKING:
    import onnx

__all__ = ["addition_under_shuffle", "find_inner", "read_frame", "resize", "shuffle"]


def find_inner(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """Return the tensors on which a convolution depends."""
    inner: set[str] = set()
    for node in reversed(nodes):
        if node.op_type == "Conv" or not inner.isdisjoint(node.output):
            inner.update(node.input)
    return inner


def read_frame(reader: Reader, nodes: Sequence[onnx.NodeProto], frame: str, channels: int) -> int:
    """Find the sizes at which the nodes read the frame, the smallest of which is value 0.

    Returns
    -------
    int
        The side of the blocks of pixels that are value 0's channels.
    """
    sides = _find_gathers(nodes, reader.constants, frame)
    unshuffle = max(sides.values(), default=1)
    if reader.uses[frame] > len(sides) or not sides:
        sides[frame] = 1
    for name, side in sides.items():
        value = Value(0, channels * side**2)
        if side < unshuffle:
            step = {"step": "frame", "source": 0, "factor": unshuffle // side}
            value = reader.append(step, value.channels)
        reader.values[name] = value
    return unshuffle


def _find_gathers(
    nodes: Sequence[onnx.NodeProto], constants: Constants, frame: str
) -> dict[str, int]:
    """Return the tensors that are channels of the frame's blocks, with the blocks' sides."""
    return {
        node.output[0]: side
        for node in nodes
        if node.op_type == "Conv" and node.input[0] == frame
        for side in [_unshuffle_of(node, constants.get(node, 1))]
        if side > 1
    }


def _unshuffle_of(node: onnx.NodeProto, weights: NDArray[Any] | None) -> int:
    """Return the side of the blocks of pixels of which a convolution makes channels.

    Such a convolution has weights of zeros and ones, a stride of its side, and neither bias nor
    padding: the form in which ``restore-rt export`` writes PixelUnshuffle. 1 if it is another.
    """
    if weights is None or weights.ndim != 4 or weights.shape[2] not in (2, 4):
        return 1
    side = weights.shape[2]
    options = attributes(node)
    plain = options.get("strides") == [side, side] and len(node.input) == 2
    for name, usual in (("group", 1), ("pads", [0] * 4), ("dilations", [1, 1])):
        plain = plain and options.get(name, usual) == usual
    plain = plain and options.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
    square = weights.shape[0] == weights[0].size
    same = square and np.array_equal(weights.reshape(len(weights), -1), np.eye(len(weights)))
    return side if plain and same else 1


def resize(reader: Reader, node: onnx.NodeProto) -> Value:
    """Read a Resize by a whole number, nearest or bilinear."""
    source = reader.plain(node)
    scales = reader.constants.get(node, 2)
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
        return Value(source.index, source.channels, 1, factor)
    if mode != "linear" or centres not in ("half_pixel", "pytorch_half_pixel"):
        raise refusal(node, f"its mode is {mode}, its coordinates are {centres}")
    layer = {"step": "bilinear", "source": source.index, "factor": factor}
    return reader.append(layer, source.channels)


def shuffle(reader: Reader, node: onnx.NodeProto) -> Value:
    """Read a DepthToSpace in the order of PixelShuffle."""
    source = reader.plain(node)
    options = attributes(node)
    factor = int(options["blocksize"])
    inner = node.output[0] in reader.inner
    if factor not in ((2, 3, 4) if inner else (2, 3, 4, 6, 8)):
        allowed = "2 to 4" if inner else "2 to 4, 6 and 8"
        raise refusal(node, f"its blocks are {factor} a side; allowed are {allowed}")
    if options.get("mode", b"DCR") != b"CRD":
        raise refusal(node, "its mode is DCR; CRD is what PixelShuffle exports as")
    if inner:
        return _shuffled(reader, node, factor)
    if reader.uses[node.input[0]] > 1:
        # What follows may become a part of the layer, and others read it as it is.
        return reader.append(identity(source), source.channels, shuffle=factor)
    return Value(source.index, source.channels, factor)


def _shuffled(reader: Reader, node: onnx.NodeProto, factor: int) -> Value:
    """Make the pixels of blocks of channels, for other layers to read."""
    value, layer = reader.own_layer(node)
    # The step takes all channels of one place within a block, then those of the next place.
    keep_outputs(layer, np.arange(value.channels).reshape(-1, factor**2).T.reshape(-1))
    step = {"step": "shuffle", "source": value.index, "factor": factor}
    return reader.append(step, value.channels // factor**2)


def addition_under_shuffle(reader: Reader, node: onnx.NodeProto, names: list[str]) -> Value:
    """Add a nearest enlargement to shuffled pixels: the same as its source before both."""
    if reader.values[names[0]].shuffle == 1:
        names = names[::-1]
    shuffled, other = reader.values[names[0]], reader.values[names[1]]
    layer = reader.open_layer(names[0])
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
        last = reader.layers.pop()
        value = reader.append({**convolution, "weights": weights, "bias": bias}, shuffled.channels)
        residual = value.index
        reader.layers.append(last)
    layer["residual"] = residual
    return Value(len(reader.layers), shuffled.channels, factor)
