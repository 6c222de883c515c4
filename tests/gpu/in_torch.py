"""The shipped networks in PyTorch on a GPU: whole frames, fp16, channels last, a CUDA graph."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import restore_rt
from restore_rt.bench.verification import reference_for, verify
from restore_rt.model.registry import path_of

__all__ = ["InTorch", "load_network", "run_in_torch"]

U8 = NDArray[np.uint8]


class InTorch:
    """A network for frames of one size, between page-locked frames on the host.

    Attributes
    ----------
    out
        The result of the last call.
    """

    def __init__(self, model: str, frame: U8) -> None:
        torch: Any = importlib.import_module("torch")
        if not torch.cuda.is_available():
            raise RuntimeError(f"PyTorch {torch.__version__} sees no GPU")
        torch.backends.cudnn.benchmark = True
        network = load_network(model).half().to("cuda", memory_format=torch.channels_last)
        self._source = torch.from_numpy(frame.copy()).pin_memory()
        self._frame = self._source.cuda()
        run = partial(run_in_torch, network, self._frame)
        # cuDNN looks for algorithms, which a capture forbids.
        with torch.cuda.stream(torch.cuda.Stream()):
            for _ in range(3):
                run()
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._made = run()
        self._target = torch.empty_like(self._made, device="cpu", pin_memory=True)
        self._synchronize = torch.cuda.synchronize
        self.out: U8 = self._target.numpy()
        self._model, self._given = model, frame

    def off_by(self) -> int:
        """Restore the frame and return by how much it differs from the CPU's, in steps of 255.

        Raises
        ------
        VerificationError
            It differs by more than fp16 explains.
        """
        self()
        (manifest,) = (each for each in restore_rt.models() if each.name == self._model)
        reference = reference_for(path_of(self._model), manifest, self._given)
        checked = verify(self.out, reference, manifest, "fp16")
        assert checked is not None
        return checked.worst

    def __call__(self) -> None:
        """Restore the frame."""
        self._frame.copy_(self._source, non_blocking=True)
        self._graph.replay()
        self._target.copy_(self._made, non_blocking=True)
        self._synchronize()


def load_network(model: str) -> Any:
    """Return a shipped model as PyTorch's, fp32 and on the CPU."""
    if importlib.util.find_spec("restore_rt.export") is None:
        # In a checkout that is not installed, the stages lie beside the package.
        restore_rt.__path__.append(str(Path(__file__).parents[2]))
    return importlib.import_module("restore_rt.export.sources").load_source(model).network.eval()


def run_in_torch(network: Any, frame: Any) -> Any:
    """Return the 8-bit picture that a network makes of an 8-bit frame, (H, W) or (H, W, 3)."""
    torch: Any = importlib.import_module("torch")
    with torch.inference_mode():
        x = (frame[..., None] if frame.ndim == 2 else frame).permute(2, 0, 1)[None]
        # What is permuted lies in memory with its channels last.
        x = x.to(next(network.parameters()).dtype).div(255)
        y = network(x)[0].float().mul(255).clamp(0, 255).round().byte().permute(1, 2, 0)
        return y[..., 0] if frame.ndim == 2 else y.contiguous()
