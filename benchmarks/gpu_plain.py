"""The plain way in PyTorch: channels-last fp16, a loop over tiles in Python, NumPy at both ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch.nn import functional

from restore_rt.model import registry as zoo
from restore_rt.tiled.sizes import TileSizes

__all__ = ["Plain"]


class Plain:
    """A shipped model as many would run it.

    Parameters
    ----------
    name
        Of a shipped model whose graph has convolutions, ReLU, sums and a pixel shuffle alone.
    sizes
        Of the tiles, those of our own way.
    device, dtype
        PyTorch's; half precision but for a trial on the CPU.
    """

    def __init__(
        self, name: str, sizes: TileSizes, *, device: str = "cuda", dtype: Any = torch.float16
    ) -> None:
        model = onnx.load(zoo.path_of(name))
        self._sizes = sizes
        self._scale = next(m.scale for m in zoo.models() if m.name == name)
        self._device, self._dtype = device, dtype
        self._graph = model.graph
        self._weights = {
            tensor.name: self._placed(torch.from_numpy(numpy_helper.to_array(tensor).copy()))
            for tensor in model.graph.initializer
        }
        # Sizes are the same again and again, and whoever wants speed asks for the best algorithm.
        torch.backends.cudnn.benchmark = True

    @torch.inference_mode()
    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Restore (H, W) or (H, W, 3)."""
        height, width = frame.shape[:2]
        scale, halo = self._scale, self._sizes.halo
        grid = self._sizes.grid(height, width, scale)
        pixels = torch.from_numpy(frame.reshape(height, width, -1)).to(self._device)
        x = self._placed(pixels.permute(2, 0, 1)[None]) / 255
        y = torch.empty(
            (1, x.shape[1], height * scale, width * scale), dtype=self._dtype, device=self._device
        )
        for top in grid.starts_y():
            for left in grid.starts_x():
                tile = x[..., top : top + grid.tile[0], left : left + grid.tile[1]]
                result = self._run(tile.contiguous(memory_format=torch.channels_last))
                up, before = (halo * scale if start else 0 for start in (top, left))
                y[
                    ...,
                    top * scale + up : top * scale + result.shape[2],
                    left * scale + before : left * scale + result.shape[3],
                ] = result[..., up:, before:]
        back = (y[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
        shaped = back.reshape(height * scale, width * scale, *frame.shape[2:])
        out: NDArray[np.uint8] = shaped.cpu().numpy()
        return out

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.to(self._device)
        if tensor.ndim != 4:
            return tensor.to(self._dtype) if tensor.is_floating_point() else tensor
        return tensor.to(self._dtype, memory_format=torch.channels_last)

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        values = {**self._weights, self._graph.input[0].name: x}
        for node in self._graph.node:
            given = [values[name] for name in node.input]
            values[node.output[0]] = _compute(node, given)
        return values[self._graph.output[0].name]


def _compute(node: onnx.NodeProto, given: list[torch.Tensor]) -> torch.Tensor:
    options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Conv":
        bias = given[2] if len(given) > 2 else None
        padding = options["pads"][:2]
        return functional.conv2d(given[0], given[1], bias, padding=padding)
    if node.op_type == "Relu":
        return functional.relu_(given[0])
    if node.op_type == "Add":
        return given[0] + given[1]
    if node.op_type == "DepthToSpace" and options["mode"] == b"CRD":
        return functional.pixel_shuffle(given[0], options["blocksize"])
    raise SystemExit(f"the plain way has no {node.op_type}")
