"""Losses that a recipe can name: each takes (output, target) and gives their mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from restore_rt.training.losses.adversarial import ADVERSARIES, Adversary
from restore_rt.training.losses.perceptual import Perceptual
from restore_rt.training.losses.pixels import (
    charbonnier,
    edge,
    fft,
    l1,
    luma,
    ssim,
    total_variation,
)

__all__ = [
    "ADVERSARIES",
    "LOSSES",
    "Adversary",
    "Perceptual",
    "charbonnier",
    "edge",
    "fft",
    "l1",
    "luma",
    "ssim",
    "total_variation",
]

LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "charbonnier": charbonnier,
    "edge": edge,
    "fft": fft,
    "l1": l1,
    "luma": luma,
    "ssim": ssim,
    "total_variation": total_variation,
}
