"""The network of an ONNX file of plain convolutions as PyTorch runs it: eagerly, and compiled.

Convolutions get their weights in the layout that oneDNN is fastest in, channels last, and the
compiled network has them as constants: on CPUs both are faster than what is the default.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

__all__ = ["PlainNetwork", "torch_step"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_KNOWN = {"Conv", "Relu", "Add", "DepthToSpace"}


class PlainNetwork(nn.Module):
    """Convolutions with ReLU between them, what came in added, and a shuffle of pixels.

    Parameters
    ----------
    model
        Of one channel, with such layers.
    scale
        Of its shuffle.
    """

    def __init__(self, model: onnx.ModelProto, scale: int) -> None:
        super().__init__()
        unknown = {node.op_type for node in model.graph.node} - _KNOWN
        if unknown:
            raise ValueError(f"the model has {', '.join(sorted(unknown))}; known are {_KNOWN}")
        weights = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
        layers: list[nn.Module] = []
        for node in model.graph.node:
            if node.op_type == "Relu":
                layers.append(nn.ReLU())
            if node.op_type == "Conv":
                kernel, bias = (torch.from_numpy(weights[name].copy()) for name in node.input[1:])
                outputs, inputs, side, _ = kernel.shape
                layer = nn.Conv2d(inputs, outputs, side, padding=side // 2)
                layer.load_state_dict({"weight": kernel, "bias": bias})
                layers.append(layer)
        self.layers = nn.Sequential(*layers)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, x: Tensor) -> Tensor:
        """Restore (N, 1, H, W)."""
        enlarged: Tensor = self.shuffle(self.layers(x) + x)
        return enlarged


class _OfBytes(nn.Module):
    """A network that takes and gives bytes, so that a compiler sees the conversions too."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dtype = dtype

    def forward(self, frame: Tensor) -> Tensor:
        x = frame[None, None].to(torch.float32).div(255).to(self.dtype)
        y: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return y[0, 0].to(torch.float32).mul(255).clamp(0, 255).round().to(torch.uint8)


def torch_step(
    model: onnx.ModelProto,
    frame: NDArray[np.uint8],
    out: NDArray[np.uint8],
    *,
    precision: str,
    threads: int,
    compiled: bool,
) -> Callable[[], object]:
    """Return what restores ``frame`` into ``out``.

    The number of threads is the process's: it holds until the next call of this function.
    """
    torch.set_num_threads(threads)
    network = _OfBytes(PlainNetwork(model, out.shape[0] // frame.shape[0]), DTYPES[precision])
    run: Callable[[Tensor], Tensor] = _compile(network, threads) if compiled else network.eval()
    given, taken = torch.from_numpy(frame), torch.from_numpy(out)

    def step() -> None:
        with torch.inference_mode():
            taken.copy_(run(given))

    return step


def _compile(network: nn.Module, threads: int) -> Callable[[Tensor], Tensor]:
    from torch._inductor import config

    # What was compiled for another size would make the next one compile for any.
    torch._dynamo.reset()
    # The generated code has the number of threads in it, and the cache does not ask for it.
    config.cpp.threads = threads
    config.freezing = True
    made: Callable[[Tensor], Tensor] = torch.compile(network.eval())
    return made
