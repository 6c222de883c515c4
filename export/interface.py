"""Input and output of a graph: float32 or float16 planes, a mask, or the bytes of a frame."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["INTERFACES", "take_bytes", "take_mask"]

INTERFACES = ("float32", "float16", "u8")


def take_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Change input and output of a graph from float32 (N, C, H, W) to uint8 (N, H, W, C).

    The conversion is inside: samples are divided by 255, and the result is multiplied by it,
    limited to 0 and 255, and rounded half to even. A NaN cannot be told from a colour then. Casts
    are the first and the last nodes, where TensorRT allows uint8.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    for node in graph.node:
        node.input[:] = ["x_planes" if name == "x" else name for name in node.input]
        node.output[:] = ["y_planes" if name == "y" else name for name in node.output]
    constants = {"u8_peak": 255.0, "u8_black": 0.0}
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in constants.items()
    )
    before = [
        helper.make_node("Cast", ["x"], ["x_float"], "u8_cast_x", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["x_float"], ["x_levels"], "u8_planes", perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["x_levels", "u8_peak"], ["x_planes"], "u8_divide"),
    ]
    after = [
        helper.make_node("Mul", ["y_planes", "u8_peak"], ["y_levels"], "u8_multiply"),
        helper.make_node("Clip", ["y_levels", "u8_black", "u8_peak"], ["y_limited"], "u8_limit"),
        helper.make_node("Round", ["y_limited"], ["y_rounded"], "u8_round"),
        helper.make_node("Transpose", ["y_rounded"], ["y_pixels"], "u8_pixels", perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["y_pixels"], ["y"], "u8_cast_y", to=TensorProto.UINT8),
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    for value in (graph.input[0], graph.output[0]):
        tensor = value.type.tensor_type
        tensor.elem_type = TensorProto.UINT8
        count, channels, *sides = (_copied(side) for side in tensor.shape.dim)
        del tensor.shape.dim[:]
        tensor.shape.dim.extend([count, *sides, channels])
    return made


def take_mask(model: onnx.ModelProto) -> onnx.ModelProto:
    """Change the input of a graph, ``x`` (N, C + 1, H, W), to ``image`` and ``mask``.

    The mask is the last channel. Types and free sizes stay as they are.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    (x,) = graph.input
    channels = x.type.tensor_type.shape.dim[1].dim_value
    for name, count in (("image", channels - 1), ("mask", 1)):
        value = graph.input.add()
        value.CopyFrom(x)
        value.name = name
        value.type.tensor_type.shape.dim[1].dim_value = count
    del graph.input[0]
    graph.node.insert(0, helper.make_node("Concat", ["image", "mask"], ["x"], "mask_join", axis=1))
    return made


def _copied(dim: onnx.TensorShapeProto.Dimension) -> onnx.TensorShapeProto.Dimension:
    copy = onnx.TensorShapeProto.Dimension()
    copy.CopyFrom(dim)
    return copy
