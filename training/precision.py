"""Where a training runs and in which precision."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from restore_rt.errors import InputError

__all__ = ["DEVICES", "Precision"]

DEVICES = ("auto", "cpu", "cuda")


class Precision:
    """A device and what it computes in.

    Parameters
    ----------
    name
        ``"fp32"``; or ``"mixed"``: bfloat16 on CPUs with instructions for it and on GPUs, float16
        with a scaled loss on GPUs without bfloat16, float32 on other CPUs, where that is faster.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``, a GPU if there is one.

    Raises
    ------
    InputError
        If there is no such device.
    """

    def __init__(self, name: str, device: str = "auto") -> None:
        if device not in DEVICES:
            raise InputError(f"device is {device!r}; there are {', '.join(DEVICES)}")
        if device == "cuda" and not torch.cuda.is_available():
            raise InputError("device is 'cuda', but PyTorch finds no GPU; use --device cpu")
        gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self.device = torch.device("cuda" if gpu else "cpu")
        self.dtype: torch.dtype | None = None
        if name == "mixed":
            if gpu:
                self.dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
            elif cpu_has_bf16():
                self.dtype = torch.bfloat16
        scaled = self.dtype == torch.float16
        self._scaler = torch.amp.GradScaler("cuda", enabled=scaled)

    def __str__(self) -> str:
        name = {None: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}[self.dtype]
        where = torch.cuda.get_device_name() if self.device.type == "cuda" else "the CPU"
        return f"{where} in {name}"

    def autocast(self) -> AbstractContextManager[Any]:
        """Let the operations in a ``with`` block run in the lower precision, where that is safe."""
        return torch.autocast(
            self.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None
        )

    def backward(self, loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
        """Compute gradients, at their true scale."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(optimiser)

    def overflowed(self, norm: Tensor) -> bool:
        """Tell whether the gradients are not finite because float16's scale is too large yet."""
        return self._scaler.is_enabled() and not math.isfinite(norm.item())

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """Let the optimiser take a step, unless the gradients overflowed."""
        self._scaler.step(optimiser)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """Give what a checkpoint keeps."""
        return self._scaler.state_dict()

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        if state:
            self._scaler.load_state_dict(state)


def cpu_has_bf16() -> bool:
    """Tell whether the CPU multiplies bfloat16 in hardware, so that it is faster than float32."""
    with_avx512: bool = torch.cpu._is_avx512_bf16_supported()
    with_amx: bool = torch.cpu._is_amx_tile_supported()
    return with_avx512 or with_amx
