"""Losses that a recipe can name: each takes (output, target) and gives their mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from restore_rt.training.losses import pixels
from restore_rt.training.losses.adversarial import ADVERSARIES
from restore_rt.training.losses.perceptual import Perceptual

__all__ = ["ADVERSARIES", "LOSSES", "Perceptual"]

LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "charbonnier": pixels.charbonnier,
    "edge": pixels.edge,
    "fft": pixels.fft,
    "l1": pixels.l1,
    "luma": pixels.luma,
    "psnr": pixels.psnr,
    "ssim": pixels.ssim,
    "total_variation": pixels.total_variation,
}
