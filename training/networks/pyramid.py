"""A network that works from coarse to fine: it sees far where pixels are few."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.training.limits import at_least, one_of
from restore_rt.training.networks.folding import Unshuffle
from restore_rt.training.networks.layers import Rise, channels_of, conv3x3, enlargement

__all__ = ["PyramidNet"]


class PyramidNet(nn.Module):
    """Residual blocks at a quarter, at half and at the whole of the input's size.

    Each level reads the input at its own size, pixels of 4x4 and 2x2 blocks as channels, and what
    the coarser level made of it. Unlike a UNet, it has no way down: there is nothing to keep for
    the way up, and most of the work is done where a convolution sees farthest. It is made of
    convolutions, ReLU, additions and pixel shuffles alone. Height and width must be multiples of 4.

    Parameters
    ----------
    width
        Channels at the input's size, at least 1; half of it has twice, a quarter three times as
        many.
    scale
        Output size over input size, 1 or 2.
    colour
        ``"luma"`` for one channel, ``"rgb"`` for three.
    coarse, middle, fine
        Residual blocks, of two 3x3 convolutions each, at a quarter, at half and at the whole of the
        size; at least 0.
    closing
        Channels at the doubled size, where each costs four times; only scale 2 has them.
    """

    def __init__(
        self,
        *,
        width: int,
        scale: int,
        colour: str,
        coarse: int = 3,
        middle: int = 2,
        fine: int = 1,
        closing: int = 16,
    ) -> None:
        super().__init__()
        one_of((1, 2))("scale", scale)
        at_least(1)("width", width)
        at_least(1)("closing", closing)
        for name, value in (("coarse", coarse), ("middle", middle), ("fine", fine)):
            at_least(0)(name, value)
        self.scale = scale
        planes = channels_of(colour)
        wider, widest = 2 * width, 3 * width
        self.quarters = Unshuffle(planes, 4)
        self.halves = Unshuffle(planes, 2)
        self.read_quarter = conv3x3(16 * planes, widest)
        self.coarse = _blocks(widest, coarse)
        self.rise_half = Rise(widest, wider)
        self.read_half = conv3x3(4 * planes, wider)
        self.middle = _blocks(wider, middle)
        self.rise = Rise(wider, width)
        self.read = conv3x3(planes, width)
        self.fine = _blocks(width, fine)
        self.enlarge = enlargement(scale, width, closing)
        # Small, so that training starts near the upsample.
        self.last = conv3x3(closing if scale == 2 else width, planes, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (N, C, H, W), values 0 to 1, to (N, C, scale*H, scale*W)."""
        features = self.coarse(torch.relu(self.read_quarter(self.quarters(x))))
        features = self.rise_half(features)
        features = self.middle(torch.relu(self.read_half(self.halves(x)) + features))
        features = self.rise(features)
        features = self.fine(torch.relu(self.read(x) + features))
        base = x if self.scale == 1 else F.interpolate(x, scale_factor=2.0, mode="nearest")
        return base + self.last(self.enlarge(features))  # type: ignore[no-any-return]


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv3x3(channels, channels)
        # Small, so that a deep network starts as a shallow one.
        self.second = conv3x3(channels, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + x)


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(count)))
