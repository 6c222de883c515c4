"""Blocks of pixels as channels: where an ONNX graph makes them, and where it undoes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.native.nodes import attributes
from restore_rt.native.quantization import Constants

if TYPE_CHECKING:
    import onnx

__all__ = ["find_gathers", "find_inner", "in_places"]


def find_gathers(
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


def find_inner(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """Return the tensors on which a convolution depends."""
    inner: set[str] = set()
    for node in reversed(nodes):
        if node.op_type == "Conv" or not inner.isdisjoint(node.output):
            inner.update(node.input)
    return inner


def in_places(channels: int, factor: int) -> NDArray[np.int64]:
    """Return the order that the engine's step ``shuffle`` wants, of channels for PixelShuffle.

    It takes all channels of one place within a block, then those of the next one.
    """
    return np.arange(channels).reshape(-1, factor**2).T.reshape(-1)


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
