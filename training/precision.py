"""Device and precision of a training, and its optimiser steps."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from restore_rt.errors import InputError
from restore_rt.training.faults import TrainingError, gradient_fault

__all__ = ["DEVICES", "OVERFLOWS", "Precision", "whole_float32"]

DEVICES = ("auto", "cpu", "cuda")
# After so many overflows in a row float16's scale, halved each time, is down from 65536 to below 1:
# then the scale is not to blame.
OVERFLOWS = 20


class Precision:
    """A device and its precision, for one network whose gradients may need scaling.

    `name` is ``"fp32"``; or ``"mixed"``: bfloat16 on CPUs with instructions for it and on GPUs,
    float16 with a scaled loss on GPUs without bfloat16, float32 on other CPUs, where that is
    faster. `device` is ``"cpu"``, ``"cuda"`` or ``"auto"``, a GPU if there is one; `InputError` if
    it is not there.
    """

    def __init__(self, name: str, device: str = "auto") -> None:
        if device not in DEVICES:
            raise InputError(f"device is {device!r}; there are {', '.join(DEVICES)}")
        if device == "cuda" and not torch.cuda.is_available():
            raise InputError("device is 'cuda', but PyTorch finds no GPU; use --device cpu")
        gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self.device = torch.device("cuda" if gpu else "cpu")
        self.dtype = lower_dtype(gpu=gpu) if name == "mixed" else None
        self._scaler = self._new_scaler()
        self._overflows = 0

    def __str__(self) -> str:
        where = torch.cuda.get_device_name() if self.device.type == "cuda" else "the CPU"
        return f"{where} in {self.dtype_name}"

    @property
    def dtype_name(self) -> str:
        """Type of most operations: float32, bfloat16 or float16."""
        return str(self.dtype or torch.float32).removeprefix("torch.")

    def _new_scaler(self) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    def twin(self) -> Precision:
        """Return the same precision for another network, with a gradient scale of its own."""
        other = copy.copy(self)
        other._scaler = self._new_scaler()
        other._overflows = 0
        return other

    def autocast(self) -> AbstractContextManager[Any]:
        """Run operations in a ``with`` block in the lower precision, where safe."""
        return torch.autocast(
            self.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None
        )

    def backward(self, loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
        """Compute gradients, at their true scale."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(optimiser)

    def descend(self, network: nn.Module, optimiser: torch.optim.Optimizer, *, clip: float) -> None:
        """Clip the gradients of `network` together to the norm `clip`, and take a step.

        Raises `TrainingError` if a gradient is not finite; with float16, see `step`.
        """
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if math.isfinite(norm.item()):
            # Clipping by a norm that is NaN would spread it to every gradient.
            torch.nn.utils.clip_grads_with_norm_(network.parameters(), clip, norm)
        else:
            fault = gradient_fault(network)
            if not (fault and self._scaler.is_enabled()):
                raise TrainingError(f"gradient norm is {norm.item()}{fault}")
        self.step(optimiser)

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """Take an optimiser step, unless float16's gradients overflowed.

        Raises `TrainingError` if they overflowed again and again, though the loss was scaled less
        each time.
        """
        before = self._scaler.get_scale()
        self._scaler.step(optimiser)
        self._scaler.update()
        self._overflows = self._overflows + 1 if self._scaler.get_scale() < before else 0
        if self._overflows >= OVERFLOWS:
            raise TrainingError(
                f"gradients overflowed float16 {OVERFLOWS} steps in a row; set optim.precision to "
                "'fp32'"
            )

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint; empty if no loss is scaled."""
        state = self._scaler.state_dict()
        return state | {"overflows": self._overflows} if state else state

    def load(self, state: dict[str, Any]) -> None:
        """Restore the result of `state`."""
        if state:
            self._scaler.load_state_dict(state)
            self._overflows = state.get("overflows", 0)


@contextmanager
def whole_float32() -> Iterator[None]:
    """Compute float32 as such in a ``with`` block, not in TF32, which GPUs may take instead."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])


def lower_dtype(*, gpu: bool) -> torch.dtype | None:
    """Return a precision that is lower than float32 and faster here, if there is one."""
    if gpu:
        # A GPU that has to emulate bfloat16 is slower with it.
        whole = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if whole else torch.float16
    return torch.bfloat16 if cpu_has_bf16() else None


def cpu_has_bf16() -> bool:
    """Return whether the CPU multiplies bfloat16 in hardware, faster than float32."""
    with_avx512: bool = torch.cpu._is_avx512_bf16_supported()
    with_amx: bool = torch.cpu._is_amx_tile_supported()
    return with_avx512 or with_amx
