"""Changes to a graph whose input or output differs from what the runtime gives and takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from restore_rt.model.casts import rename, replace_nodes

if TYPE_CHECKING:
    import onnx

__all__ = ["free_batch", "pad_and_crop", "single_picture", "take_floats"]

_PREFIX = "restore_rt_"
# From these versions on, Pad and Slice have inputs in place of attributes.
_PAD_INPUTS, _SLICE_INPUTS = 11, 10
_END = 2**31 - 1

Node = Any
# Nodes that stand before and after a network, the first given its input and the last its output.
Ends = tuple[list[Node], list[Node]]


def take_floats(
    model: onnx.ModelProto, whites: tuple[float, float] = (1.0, 1.0)
) -> onnx.ModelProto:
    """Return the network with float32 input and output, by casts at both ends.

    Parameters
    ----------
    model
        With any element types of input and output; not changed.
    whites
        Values of white that the network takes and gives, where the result takes and gives 1.
        Whole numbers are rounded, and limited to 0 to the network's white.
    """
    from onnx import TensorProto, helper

    made = _copy(model)
    source, target = _ports(made)
    kinds = [value.type.tensor_type.elem_type for value in (source, target)]
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    front: list[Node] = []
    if whites[0] != 1:
        front += _constant("Mul", "white", whites[0])
    if kinds[0] not in floats:
        # The cast cuts off, so that adding a half rounds.
        white = max(whites[0], 255.0)
        front += _constant("Max", "least", 0.0) + _constant("Min", "most", white)
        front += _constant("Add", "half", 0.5)
    if kinds[0] != TensorProto.FLOAT:
        front.append(helper.make_node("Cast", [""], [""], to=kinds[0]))
    back: list[Node] = []
    if kinds[1] != TensorProto.FLOAT:
        back.append(helper.make_node("Cast", [""], [""], to=TensorProto.FLOAT))
    if whites[1] != 1:
        back += _constant("Div", "white_out", whites[1])
    _put_around(made, front, back)
    for value in _ports(made):
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    return made


def free_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network with a dynamic batch size; a graph that depends on its own may fail."""
    made = _copy(model)
    del made.graph.value_info[:]
    for value in _ports(made):
        value.type.tensor_type.shape.dim[0].dim_param = f"{_PREFIX}batch"
    return made


def single_picture(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """Return a network that takes one picture, and runs it as all ``count`` of a batch."""
    from onnx import helper, numpy_helper

    made = _copy(model)
    shape = numpy_helper.from_array(np.array([count, 1, 1, 1], np.int64))
    front = [
        helper.make_node("Constant", [], [f"{_PREFIX}count"], value=shape),
        helper.make_node("Expand", ["", f"{_PREFIX}count"], [""]),
    ]
    _put_around(made, front, _slice(made, {0: (0, 1)}))
    for value in _ports(made):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return made


def pad_and_crop(
    model: onnx.ModelProto, margins: tuple[int, int], crops: tuple[int, int]
) -> onnx.ModelProto:
    """Return the network with its input padded and its output cropped, on both sides of each axis.

    Parameters
    ----------
    model
        With float32 input and output (N, C, H, W); not changed.
    margins
        Rows and columns that repeat the picture's edge. A fixed size of the input is smaller by
        twice as many.
    crops
        Rows and columns that are cut off the output.
    """
    from onnx import helper, numpy_helper

    made = _copy(model)
    pads = [0, 0, *margins, 0, 0, *margins]
    if _opset(made) < _PAD_INPUTS:
        front = [helper.make_node("Pad", [""], [""], mode="edge", pads=pads)]
    else:
        sides = numpy_helper.from_array(np.array(pads, np.int64))
        front = [
            helper.make_node("Constant", [], [f"{_PREFIX}pads"], value=sides),
            helper.make_node("Pad", ["", f"{_PREFIX}pads"], [""], mode="edge"),
        ]
    cut = {axis: (crop, -crop) for axis, crop in zip((2, 3), crops, strict=True) if crop}
    _put_around(made, front, _slice(made, cut) if cut else [])
    source, target = _ports(made)
    for axis, margin in zip((2, 3), margins, strict=True):
        side = source.type.tensor_type.shape.dim[axis]
        if side.HasField("dim_value"):
            side.dim_value -= 2 * margin
        target.type.tensor_type.shape.dim[axis].dim_param = f"{_PREFIX}out{axis}"
    return made


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    made = type(model)()
    made.CopyFrom(model)
    return made


def _opset(model: onnx.ModelProto) -> int:
    return max(int(item.version) for item in model.opset_import if item.domain in ("", "ai.onnx"))


def _ports(model: onnx.ModelProto) -> tuple[onnx.ValueInfoProto, onnx.ValueInfoProto]:
    from restore_rt.model.graph import inputs_of

    return inputs_of(model)[0], model.graph.output[0]


def _constant(operator: str, name: str, value: float) -> list[Node]:
    """Return nodes that compute with a number."""
    from onnx import helper, numpy_helper

    name = _PREFIX + name
    number = numpy_helper.from_array(np.array(value, np.float32))
    return [
        helper.make_node("Constant", [], [name], value=number),
        helper.make_node(operator, ["", name], [""]),
    ]


def _slice(model: onnx.ModelProto, parts: dict[int, tuple[int, int]]) -> list[Node]:
    """Return nodes that keep a part of some axes, each from a begin to an end; 0 is no end."""
    from onnx import helper, numpy_helper

    given: dict[str, Any] = {
        "starts": [begin for begin, _ in parts.values()],
        "ends": [end or _END for _, end in parts.values()],
        "axes": list(parts),
    }
    if _opset(model) < _SLICE_INPUTS:
        return [helper.make_node("Slice", [""], [""], **given)]
    nodes = []
    for key, values in given.items():
        tensor = numpy_helper.from_array(np.array(values, np.int64))
        nodes.append(helper.make_node("Constant", [], [f"{_PREFIX}{key}"], value=tensor))
    names = [f"{_PREFIX}{key}" for key in given]
    return [*nodes, helper.make_node("Slice", ["", *names], [""])]


def _put_around(model: onnx.ModelProto, front: Iterable[Node], back: Iterable[Node]) -> None:
    """Connect nodes before and after a network; "" in them is the value that they pass on."""
    graph = model.graph
    # The shapes and types in it may not hold any more.
    del graph.value_info[:]
    source, target = (value.name for value in _ports(model))
    front, back = list(front), list(back)
    depth = sum(name.startswith(_PREFIX) for node in graph.node for name in node.output)
    if any(list(node.input) and node.input[0] == "" for node in front):
        inner = f"{_PREFIX}{depth}_{source}"
        for node in graph.node:
            rename(node, source, inner)
        _connect(front, source, inner, depth)
    if back:
        inner = f"{_PREFIX}{depth}_{target}"
        for node in graph.node:
            rename(node, target, inner)
        _connect(back, inner, target, depth)
    replace_nodes(graph, [*front, *graph.node, *back])


def _connect(nodes: list[Node], start: str, end: str, depth: int) -> None:
    """Name the values between nodes, and their constants."""
    working = [node for node in nodes if node.op_type != "Constant"]
    for node in nodes:
        if node.op_type == "Constant":
            node.output[0] = f"{node.output[0]}_{depth}"
    name = start
    for index, node in enumerate(working):
        node.input[0] = name
        node.input[1:] = [f"{constant}_{depth}" for constant in node.input[1:]]
        name = end if node is working[-1] else f"{_PREFIX}{depth}_{start}_{index}"
        node.output[0] = name
