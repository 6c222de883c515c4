"""Nodes of an ONNX graph: what the native backend asks of them, and how it refuses one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from restore_rt.errors import BackendError

if TYPE_CHECKING:
    import onnx

__all__ = ["UnsupportedError", "attributes", "check_convolution", "kept_channels", "refusal"]


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
