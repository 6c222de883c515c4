"""Small networks with known behaviour, and model files of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from restore_rt.model.manifest import Manifest, weights_sha256, write_manifest

Kernels = list[NDArray[Any]]
MakeModel = Callable[..., Path]


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
    # A scale of 0 is tried, too, and refused by the manifest.
    colours = kernels[-1].shape[0] // max(scale, 1) ** 2
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", colours, "sh", "sw"])
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


def save_model(
    path: Path,
    kernels: Kernels,
    *,
    scale: int = 1,
    size: tuple[int | str, ...] = ("n", "h", "w"),
    manifest: bool = True,
    **fields: Any,
) -> Path:
    """Write a network to a file, with a manifest in which ``fields`` replace what is usual."""
    model = network(kernels, scale, size)
    if not manifest:
        onnx.save(model, path)
        return path
    usual = {
        "task": "upscale",
        "scale": scale,
        "colour": "luma" if kernels[0].shape[1] == 1 else "rgb",
        "halo": sum(kernel.shape[2] // 2 for kernel in kernels),
    }
    return save_described(path, model, **(usual | fields))


def save_described(path: Path, model: onnx.ModelProto, **fields: Any) -> Path:
    """Write a network with a manifest, whose other fields are the same for all."""
    usual: dict[str, Any] = {
        "name": path.stem,
        "version": "1",
        "content": "photo",
        "tile": (64, 64),
        "sha256": weights_sha256(model),
        "trained_on": "nothing",
        "licence": "Apache-2.0",
        "recipe": "",
    }
    write_manifest(model, Manifest(**(usual | fields)))
    onnx.save(model, path)
    return path
