"""Losses that a recipe can name: each takes (output, target) and gives their mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

__all__ = ["LOSSES", "charbonnier", "l1"]


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (output - target).abs().mean()


def charbonnier(output: Tensor, target: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(d^2 + epsilon^2) - epsilon: L1 that is smooth at zero."""
    return (torch.sqrt((output - target) ** 2 + epsilon**2) - epsilon).mean()


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"charbonnier": charbonnier, "l1": l1}
