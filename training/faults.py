"""Search for the origin of a value that is not finite."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from restore_rt.errors import RestoreError

__all__ = ["TrainingError", "gradient_fault", "output_fault"]


class TrainingError(RestoreError):
    """Training cannot go on: a loss or a gradient is no longer a number."""


def gradient_fault(network: nn.Module) -> str:
    """Name the gradient that is not finite and was the first on the way back; empty for none.

    On the way back a NaN spreads from the layer where it arises to all that lie before, so it is
    the last one in the order of the network.
    """
    names = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all()
    ]
    return f", first in the gradient of {names[-1]}" if names else ""


def output_fault(network: nn.Module, forward: Callable[[], object]) -> str:
    """Name the weights that are not finite, or else the first layer whose output is not.

    `forward` sends the batch in question through the network once more: the price of not watching
    every layer of every step. Returns what to add to a message; empty if all is finite.
    """
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            return f", since the weights {name} are not finite"
    found: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, Any, object], None]:
        def look(module: nn.Module, inputs: Any, output: object) -> None:
            if isinstance(output, Tensor) and not found and not torch.isfinite(output).all():
                found.append(name or "the network")

        return look

    with ExitStack() as stack, torch.no_grad():
        for name, module in network.named_modules():
            stack.callback(module.register_forward_hook(watch(name)).remove)
        forward()
    return f", first in the output of {found[0]}" if found else ""
