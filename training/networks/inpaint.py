"""A network that fills holes, and how its results at smaller sizes help it at larger ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.training.limits import at_least, between, one_of
from restore_rt.training.networks.folding import Unshuffle
from restore_rt.training.networks.layers import Rise, channels_of, conv3x3

__all__ = ["InpaintNet", "coarse_to_fine"]

# Up to this depth in a hole the first fill is kept, and from twice that on none of it.
RADIUS = 2


class InpaintNet(nn.Module):
    """Residual blocks at half and, dilated, at a quarter of the size correct a fill of the holes.

    The input is the picture with its holes filled, and the mask as a further channel, 1 in holes
    and 0 elsewhere. The output is the picture plus a residual that the mask limits to the holes:
    known pixels are returned exactly. Blocks at half the size see what narrow holes cut through,
    those at a quarter what surrounds wide ones. The dilations follow Zeng et al., "Aggregated
    Contextual Transformations for High-Resolution Image Inpainting", 2021 (arXiv 2104.01431), one
    dilation to a block. Height and width must be multiples of 4.

    Parameters
    ----------
    half
        Channels at half the size, at least 1.
    fine
        Blocks of two 3x3 convolutions at half the size, at least 1: so many before, and so many
        after those at a quarter.
    width
        Channels at a quarter of the size, at least 1.
    blocks
        Blocks at a quarter of the size, at least 1; the first of the two convolutions is dilated.
    dilations
        The dilations are 1, 2, 4 and so on, this many, over and over.
    scale
        1 alone.
    colour
        ``"luma"`` for one channel beside the mask, ``"rgb"`` for three.
    """

    def __init__(
        self,
        *,
        half: int,
        fine: int,
        width: int,
        blocks: int,
        scale: int,
        colour: str,
        dilations: int = 3,
    ) -> None:
        super().__init__()
        one_of((1,))("scale", scale)
        sizes = {"half": half, "fine": fine, "width": width, "blocks": blocks}
        for name, value in sizes.items():
            at_least(1)(name, value)
        between(1, 5)("dilations", dilations)
        self.scale = scale
        planes = channels_of(colour)
        self.halves = Unshuffle(planes + 1, 2)
        self.read = conv3x3(4 * (planes + 1), half)
        self.near = nn.Sequential(*(_Block(half) for _ in range(fine)))
        self.quarters = Unshuffle(half, 2)
        self.down = nn.Conv2d(4 * half, width, 1)
        self.blocks = nn.Sequential(
            *(_Block(width, 2 ** (number % dilations)) for number in range(blocks))
        )
        self.rise = Rise(width, half)
        self.join = nn.Conv2d(2 * half, half, 1)
        self.refine = nn.Sequential(*(_Block(half) for _ in range(fine)))
        # Nothing, so that training starts with the first fill: a network that begins with noise
        # learns first of all to be silent, and may stay so.
        self.last = conv3x3(half, 4 * planes, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Correct the holes of `x` (N, C + 1, H, W), values 0 to 1; the result is (N, C, H, W)."""
        picture, mask = x[:, :-1], x[:, -1:]
        near = self.near(_active(self.read(self.halves(x))))
        far = self.blocks(_active(self.down(self.quarters(near))))
        features = self.refine(_active(self.join(torch.cat((self.rise(far), near), 1))))
        return picture + mask * F.pixel_shuffle(self.last(features), 2)


def _active(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


class _Block(nn.Module):
    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv3x3(channels, channels)
        self.first.dilation = self.first.padding = (dilation, dilation)
        # Small, so that a deep network starts as a shallow one.
        self.second = conv3x3(channels, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(_active(self.first(x)))  # type: ignore[no-any-return]


@torch.no_grad()
def coarse_to_fine(network: nn.Module, x: Tensor, levels: int) -> Tensor:
    """Replace the fill deep in the holes of `x` by what the network makes of it at half the size.

    The picture is halved `levels` times. A pixel of a halved picture is the mean of the known ones
    of four, and lies in a hole if none of them is known. From the smallest size upwards the
    network's result, enlarged bilinearly, replaces the fill of the next larger one: wholly from a
    depth of 4 pixels on, and not at all down to 2. `x` is (N, C + 1, H, W), see `InpaintNet`; at
    every size, height and width must be multiples of what the network takes.
    """
    if levels == 0:
        return x
    picture, mask = x[:, :-1], x[:, -1:]
    known = 1 - mask
    share = F.avg_pool2d(known, 2)
    mean = F.avg_pool2d(picture * known, 2) / share.clamp(min=0.25)
    hole = (share == 0).to(x.dtype)
    smaller = torch.cat((torch.where(hole > 0, F.avg_pool2d(picture, 2), mean), hole), 1)
    result = network(coarse_to_fine(network, smaller, levels - 1)).to(x.dtype)
    larger = F.interpolate(result, scale_factor=2.0, mode="bilinear", align_corners=False)
    weight = ((_depth(mask, 2 * RADIUS) - RADIUS) / RADIUS).clamp(0, 1)
    return torch.cat((picture + weight * (larger - picture), mask), 1)


def _depth(mask: Tensor, most: int) -> Tensor:
    """Return the distance of holes from the nearest known pixel, diagonals included, up to `most`.

    Beyond the edge nothing is known.
    """
    known = 1 - mask
    depth = mask
    for _ in range(most - 1):
        known = F.max_pool2d(known, 3, stride=1, padding=1)
        depth = depth + (1 - known)
    return depth
