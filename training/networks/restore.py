"""A small UNet for repair and for doubling: most of its work is done below full resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.training.limits import at_least, one_of
from restore_rt.training.networks.attention import ATTENTIONS, make_attention
from restore_rt.training.networks.layers import Rise, channels_of, conv3x3, enlargement

__all__ = ["RestoreNet"]


class RestoreNet(nn.Module):
    """A UNet of three levels with channel attention, over a nearest upsample of its input.

    Each level has two 3x3 convolutions with ReLU; levels are joined by 2x2 max pooling on the way
    down, and by 2x2 transposed convolutions and concatenation on the way up. The layout follows
    comic_restoreNet and Ronneberger et al., "U-Net", 2015 (arXiv 1505.04597). Height and width
    must be multiples of 4.

    Parameters
    ----------
    width
        Channels at full resolution, at least 1.
    scale
        Output size over input size, 1 or 2.
    colour
        ``"luma"`` for one channel, ``"rgb"`` for three.
    attention
        How channels are weighted after the last concatenation: ``"none"``, not at all;
        ``"whole"``, by means over the whole input, so that the result depends on the tile and the
        export refuses the network; ``"patch"``, by means over the neighbourhood, so that lettering
        on white is treated differently from artwork.
    growth
        Each level has this many times the channels of the level above; at least 1.
    closing
        Channels at the doubled size, where each costs four times; only scale 2 has them.
    """

    def __init__(
        self,
        *,
        width: int,
        scale: int,
        colour: str,
        attention: str = "patch",
        growth: int = 2,
        closing: int = 16,
    ) -> None:
        super().__init__()
        one_of((1, 2))("scale", scale)
        one_of(ATTENTIONS)("attention", attention)
        for name, value in (("width", width), ("growth", growth), ("closing", closing)):
            at_least(1)(name, value)
        self.scale = scale
        channels = channels_of(colour)
        top, middle, bottom = width, width * growth, width * growth**2
        self.down_top = _Pair(channels, top)
        self.down_middle = _Pair(top, middle)
        self.bottom = _Pair(middle, bottom)
        self.rise_middle = Rise(bottom, middle)
        self.up_middle = _Pair(2 * middle, middle)
        self.rise_top = Rise(middle, top)
        self.join = conv3x3(2 * top, top)
        self.attention = make_attention(attention, top)
        self.refine = conv3x3(top, top)
        self.enlarge = enlargement(scale, top, closing)
        # Small, so that training starts near the upsample.
        self.last = conv3x3(closing if scale == 2 else top, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (N, C, H, W), values 0 to 1, to (N, C, scale*H, scale*W)."""
        top = self.down_top(x)
        middle = self.down_middle(F.max_pool2d(top, 2))
        bottom = self.bottom(F.max_pool2d(middle, 2))
        middle = self.up_middle(torch.cat((self.rise_middle(bottom), middle), 1))
        top = torch.relu(self.join(torch.cat((self.rise_top(middle), top), 1)))
        top = torch.relu(self.refine(self.attention(top)))
        base = x if self.scale == 1 else F.interpolate(x, scale_factor=2.0, mode="nearest")
        return base + self.last(self.enlarge(top))  # type: ignore[no-any-return]


class _Pair(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = conv3x3(inputs, outputs)
        self.second = conv3x3(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))))
