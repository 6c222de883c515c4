"""Nodes of an ONNX graph: what the native backend asks of them, and how it refuses one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import BackendError

if TYPE_CHECKING:
    import onnx

__all__ = [
    "UnsupportedError",
    "attributes",
    "check_convolution",
    "kept_channels",
    "refusal",
    "unshuffle_of",
]


class UnsupportedError(BackendError):
    """The native backend cannot run this network; another backend may."""


def check_convolution(node: onnx.NodeProto, *, side: int) -> None:
    """Refuse a convolution that is no plain one of this side which keeps the size."""
    options = attributes(node)
    same = options.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER")
    pads = list(options.get("pads", [0, 0, 0, 0]))
    if not same and pads != [side // 2] * 4:
        raise refusal(node, f"its padding is {pads}; it must keep the size")
    for name, allowed in (("group", 1), ("strides", [1, 1]), ("dilations", [1, 1])):
        if options.get(name, allowed) != allowed:
            raise refusal(node, f"its {name} is {options[name]}; only {allowed} is run")


def kept_channels(node: onnx.NodeProto, inputs: Sequence[NDArray[Any] | None]) -> int:
    """Return how many channels a Slice keeps at most, which must be the first ones.

    Parameters
    ----------
    node
        The node, for the error.
    inputs
        Where it starts and ends, its axes and its steps.
    """
    found = [None if given is None else given.reshape(-1).tolist() for given in inputs]
    start, end, axes, steps = found
    if (start, axes) != ([0], [1]) or steps not in (None, [1]) or not end or end[0] < 1:
        raise refusal(node, "it must keep the first channels, all their rows and columns")
    return int(end[0])


def unshuffle_of(node: onnx.NodeProto, weights: NDArray[Any] | None) -> int:
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


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name, as ONNX's helper gives them."""
    from onnx import helper

    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def refusal(node: onnx.NodeProto, reason: str) -> UnsupportedError:
    """Return the error that says why a node cannot be run."""
    name = node.name or (node.output[0] if node.output else "")
    return UnsupportedError(
        f"the native backend cannot run the node {name[:80]!r} ({node.op_type}): {reason}; use "
        "another backend"
    )
