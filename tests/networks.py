"""Small networks with known behaviour."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Kernels = list[NDArray[Any]]


def network(
    kernels: Kernels, scale: int, size: tuple[int | str, ...] = ("n", "h", "w")
) -> onnx.ModelProto:
    """Chain 3x3 or 1x1 convolutions, (out, in, k, k) each, and a pixel shuffle."""
    nodes, weights, name = [], [], "x"
    for index, kernel in enumerate(kernels):
        weights.append(numpy_helper.from_array(kernel.astype(np.float32), f"w{index}"))
        pad = kernel.shape[2] // 2
        nodes.append(
            helper.make_node("Conv", [name, f"w{index}"], [f"c{index}"], pads=[pad, pad, pad, pad])
        )
        name = f"c{index}"
    nodes.append(helper.make_node("DepthToSpace", [name], ["y"], blocksize=scale, mode="CRD"))
    channels = kernels[0].shape[1]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [size[0], channels, *size[1:]])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, "sh", "sw"])
    graph = helper.make_graph(nodes, "network", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def nearest(channels: int, scale: int) -> Kernels:
    """Repeat each pixel ``scale`` x ``scale`` times: bit-exact whatever the tiles."""
    kernel = np.zeros((channels * scale**2, channels, 1, 1))
    for channel in range(channels):
        kernel[channel * scale**2 : (channel + 1) * scale**2, channel] = 1
    return [kernel]


def blur(radius: int) -> Kernels:
    """``radius`` luma convolutions, positive everywhere: each pixel of the halo matters."""
    return [np.full((1, 1, 3, 3), 1 / 9)] * radius


def shift(radius: int) -> Kernels:
    """Move the luma by ``radius`` pixels down and right: the far corner of the halo decides."""
    kernel = np.zeros((1, 1, 3, 3))
    kernel[0, 0, 0, 0] = 1
    return [kernel] * radius
