"""A plain stack of 3x3 convolutions that runs fast everywhere."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.errors import InputError

__all__ = ["CompactNet"]


class CompactNet(nn.Module):
    """3x3 convolutions with ReLU, then a pixel shuffle, over a nearest upsample.

    Nothing but convolution, ReLU, one addition and one DepthToSpace: every backend fuses these.
    The input is added before the shuffle, to each of the channels that become one channel's
    pixels, so the residual costs one addition at low resolution. The receptive radius is `depth`
    pixels.

    Parameters
    ----------
    width
        Channels of the hidden layers, at least 1.
    depth
        Convolutions in all, at least 2.
    scale
        Output size over input size, 1 to 4.
    colour
        ``"luma"`` for one channel, ``"rgb"`` for three.
    """

    def __init__(self, *, width: int, depth: int, scale: int, colour: str) -> None:
        super().__init__()
        if colour not in ("luma", "rgb"):
            raise InputError(f"colour is {colour!r}; allowed are 'luma' and 'rgb'")
        if not 1 <= scale <= 4:
            raise InputError(f"scale is {scale}; allowed are 1 to 4")
        if depth < 2 or width < 1:
            raise InputError(f"depth is {depth}, width {width}; they must be at least 2 and 1")
        self.scale = scale
        channels = 3 if colour == "rgb" else 1
        sizes = [channels] + [width] * (depth - 1) + [channels * scale * scale]
        last = depth - 1
        self.layers = nn.ModuleList(
            _layer(inputs, outputs, first=index == 0, last=index == last)
            for index, (inputs, outputs) in enumerate(pairwise(sizes))
        )
        # Which input channel each channel before the shuffle repeats, as a 1x1 convolution.
        repeat = torch.eye(channels).repeat_interleave(scale**2, dim=0)[:, :, None, None]
        self.repeat: Tensor
        self.register_buffer("repeat", repeat, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (N, C, H, W), values 0 to 1, to (N, C, scale*H, scale*W)."""
        features = x
        for layer in self.layers[:-1]:
            features = torch.relu(layer(features))
        # A single channel broadcasts, and needs no repeating.
        repeated = x if x.shape[1] == 1 else F.conv2d(x, self.repeat)
        return F.pixel_shuffle(self.layers[-1](features) + repeated, self.scale)


@torch.no_grad()
def _layer(inputs: int, outputs: int, *, first: bool, last: bool) -> nn.Conv2d:
    """Make a layer that starts near the identity, or near zero when it is the last.

    The network then begins near the upsample.
    """
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    assert layer.bias is not None
    nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    if last:
        layer.weight.mul_(0.1)
    elif not first:
        layer.weight.mul_(0.3)
        diagonal = torch.arange(outputs)
        layer.weight[diagonal, diagonal, 1, 1] += 1
    return layer
