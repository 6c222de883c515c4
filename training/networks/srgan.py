"""The residual generator of SRGAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.training.limits import at_least, one_of
from restore_rt.training.networks.layers import channels_of, conv3x3

__all__ = ["SrGan"]


class SrGan(nn.Module):
    """Residual blocks at the input's size, then a nearest upsample and a convolution per doubling.

    The generator of SRGAN (Ledig et al., 2017, arXiv 1609.04802), SRResNet, without batch norm, as
    EDSR has it (Lim et al., 2017, arXiv 1707.02921); `blocks` and `filters` are Neural Enhance's
    ``generator-blocks`` and ``generator-filters``. The pixel shuffles gave way to what Odena et al.
    advise ("Deconvolution and Checkerboard Artifacts", Distill, 2016) and ESRGAN has: an adversary
    drew a mesh of the input's pixels with them. It adds to a bilinear upsample of its input: over
    a nearest one, steps between the input's pixels stayed in soft slopes.

    Parameters
    ----------
    blocks
        Residual blocks of two convolutions, at least 1.
    filters
        Channels, at least 1.
    scale
        Output size over input size: 1, 2 or 4.
    colour
        ``"luma"`` for one channel, ``"rgb"`` for three.
    """

    def __init__(self, *, blocks: int, filters: int, scale: int, colour: str) -> None:
        super().__init__()
        one_of((1, 2, 4))("scale", scale)
        at_least(1)("blocks", blocks)
        at_least(1)("filters", filters)
        self.scale = scale
        channels = channels_of(colour)
        self.first = conv3x3(channels, filters)
        self.blocks = nn.Sequential(*(_Block(filters) for _ in range(blocks)))
        self.after = conv3x3(filters, filters, gain=0.1)
        self.enlarge = nn.Sequential()
        for _ in range(scale.bit_length() - 1):
            larger = nn.Upsample(scale_factor=2.0, mode="nearest")
            self.enlarge.extend([larger, conv3x3(filters, filters), nn.ReLU()])
        # Small, so that training starts near the upsample.
        self.last = conv3x3(filters, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (N, C, H, W), values 0 to 1, to (N, C, scale*H, scale*W)."""
        shallow = torch.relu(self.first(x))
        deep = shallow + self.after(self.blocks(shallow))
        base = x
        if self.scale > 1:
            base = F.interpolate(x, scale_factor=float(self.scale), mode="bilinear")
        return base + self.last(self.enlarge(deep))  # type: ignore[no-any-return]


class _Block(nn.Module):
    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = conv3x3(filters, filters)
        # Small, so that many blocks in a row start near the identity.
        self.second = conv3x3(filters, filters, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(x)))  # type: ignore[no-any-return]
