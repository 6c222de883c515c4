"""The deep network of ESRGAN and Real-ESRGAN, in whose shape many weights are published."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.training.limits import at_least, one_of
from restore_rt.training.networks.folding import Unshuffle
from restore_rt.training.networks.layers import channels_of, conv3x3

__all__ = ["Rrdb"]

# By how much what a branch finds is weakened, and the slope of LeakyReLU; both as published.
_SHARE = 0.2
_SLOPE = 0.2


class Rrdb(nn.Module):
    """Residual-in-residual dense blocks, then a nearest upsample and a convolution per doubling.

    The layout of RRDBNet: see Wang et al., "ESRGAN", 2018 (arXiv 1809.00219); and, for
    `unshuffle`, Wang et al., "Real-ESRGAN", 2021 (arXiv 2107.10833), whose x2 models are the x4
    network on blocks of 2x2 pixels and whose x1 models that on blocks of 4x4. Each block makes it
    look 15 pixels further, times `unshuffle`.

    Parameters
    ----------
    blocks
        Residual blocks of three dense blocks of five convolutions each, at least 1.
    filters
        Channels between the blocks, at least 1.
    growth
        Channels that each convolution of a dense block adds, at least 1.
    scale
        Output size over input size: 1, 2, 4 or 8.
    colour
        ``"luma"`` for one channel, ``"rgb"`` for three.
    unshuffle
        Side of the blocks of pixels that become channels before the first convolution: 1, 2 or 4.
        Height and width must be multiples of it.
    """

    def __init__(
        self,
        *,
        blocks: int,
        filters: int,
        growth: int,
        scale: int,
        colour: str,
        unshuffle: int = 1,
    ) -> None:
        super().__init__()
        one_of((1, 2, 4, 8))("scale", scale)
        one_of((1, 2, 4))("unshuffle", unshuffle)
        for name, value in (("blocks", blocks), ("filters", filters), ("growth", growth)):
            at_least(1)(name, value)
        self.scale = scale
        channels = channels_of(colour)
        self.gather = Unshuffle(channels, unshuffle) if unshuffle > 1 else nn.Identity()
        self.first = conv3x3(channels * unshuffle**2, filters)
        self.blocks = nn.Sequential(*(_Block(filters, growth) for _ in range(blocks)))
        self.after = conv3x3(filters, filters, gain=0.1)
        doublings = (scale * unshuffle).bit_length() - 1
        self.enlarge = nn.ModuleList(conv3x3(filters, filters) for _ in range(doublings))
        self.refine = conv3x3(filters, filters)
        self.last = conv3x3(filters, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (N, C, H, W), values 0 to 1, to (N, C, scale*H, scale*W)."""
        shallow = self.first(self.gather(x))
        features = shallow + self.after(self.blocks(shallow))
        for layer in self.enlarge:
            larger = F.interpolate(features, scale_factor=2.0, mode="nearest")
            features = F.leaky_relu(layer(larger), _SLOPE)
        return self.last(F.leaky_relu(self.refine(features), _SLOPE))  # type: ignore[no-any-return]


class _Block(nn.Module):
    def __init__(self, filters: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(_Dense(filters, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + _SHARE * self.dense(x)  # type: ignore[no-any-return]


class _Dense(nn.Module):
    """Convolutions that each take the outputs of all previous ones."""

    def __init__(self, filters: int, growth: int) -> None:
        super().__init__()
        # Small, as published, so that a deep network starts near the identity.
        self.layers = nn.ModuleList(
            conv3x3(filters + index * growth, growth if index < 4 else filters, gain=0.1)
            for index in range(5)
        )

    def forward(self, x: Tensor) -> Tensor:
        found = x
        for layer in self.layers[:-1]:
            found = torch.cat((found, F.leaky_relu(layer(found), _SLOPE)), 1)
        return x + _SHARE * self.layers[-1](found)  # type: ignore[no-any-return]
