"""Small in-painting networks, and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.networks import save_described

Size = tuple[int | str, int | str]


def graph_of(
    nodes: list[onnx.NodeProto],
    weights: dict[str, Any],
    *,
    inputs: dict[str, tuple[int, list[int | str]]],
    output: tuple[int, list[int | str]],
) -> onnx.ModelProto:
    """Return a model with an output y."""
    taken = [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()]
    made = helper.make_tensor_value_info("y", *output)
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "network", taken, [made], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def residual(kernel: NDArray[Any], size: Size = ("h", "w")) -> onnx.ModelProto:
    """Add a convolution of [image, mask], (3, 4, k, k), to the image where the mask is 1."""
    pad = kernel.shape[2] // 2
    nodes = [
        helper.make_node("Concat", ["image", "mask"], ["x"], axis=1),
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[pad] * 4),
        helper.make_node("Mul", ["c", "mask"], ["r"]),
        helper.make_node("Add", ["image", "r"], ["y"]),
    ]
    return graph_of(
        nodes,
        {"w": kernel.astype(np.float32)},
        inputs={
            "image": (TensorProto.FLOAT, ["n", 3, *size]),
            "mask": (TensorProto.FLOAT, ["n", 1, *size]),
        },
        output=(TensorProto.FLOAT, ["n", 3, *size]),
    )


def save_inpainter(path: Path, model: onnx.ModelProto, **fields: Any) -> Path:
    """Write a network with a manifest in which ``fields`` replace what is usual."""
    usual = {"task": "inpaint", "scale": 1, "colour": "rgb", "halo": 8, "multiple": 4}
    return save_described(path, model, **(usual | fields))
