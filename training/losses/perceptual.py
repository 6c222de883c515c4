"""A loss of features: what two pictures are made of, rather than their pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from restore_rt.errors import InputError
from restore_rt.training.features.networks import Features

__all__ = ["Perceptual"]


class Perceptual(nn.Module):
    """L1 of a fixed network's features (from `load_features`) at one of its layers.

    From Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", 2016
    (arXiv 1603.08155); L1 and features before the ReLU as in Wang et al., "ESRGAN", 2018 (arXiv
    1809.00219). The network is neither trained nor put into training mode. Raises `InputError` if
    there is no such layer.
    """

    def __init__(self, features: Features, layer: str) -> None:
        super().__init__()
        if layer not in features.layers:
            raise InputError(f"layer is {layer!r}; allowed are {', '.join(features.layers)}")
        self.layer = layer
        self.network = features.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Perceptual:
        """Leave the features as they are."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Compare two pictures (N, C, H, W) of 0 to 1, with one channel or three."""
        with torch.no_grad():
            wanted = self.network.features(target, self.layer)
        found = self.network.features(output, self.layer)
        return (found.float() - wanted.float()).abs().mean()
