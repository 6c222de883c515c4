"""A plain stack of 3x3 convolutions that runs fast everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.training.limits import at_least, between, one_of
from restore_rt.training.networks.folding import FoldingConv, Unshuffle
from restore_rt.training.networks.layers import channels_of

__all__ = ["WINDOWS", "CompactNet", "deepen", "look_around"]

# Frames that the input may be of: one, or one with those before and after it.
WINDOWS = (1, 3)


class CompactNet(nn.Module):
    """3x3 convolutions with ReLU, then a pixel shuffle, over a nearest upsample.

    Nothing but convolution, ReLU, one addition and one DepthToSpace: every backend fuses these.
    The input is added before the shuffle, to each of the channels that become one channel's
    pixels, so the residual costs one addition at low resolution. The receptive radius is `depth`
    pixels, times `unshuffle`.

    With a `window` above 1 the input is frames of a video, of which the middle one is restored: its
    channels are those of the frames, the earliest first.

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
    expand
        0 trains plain convolutions; more trains a `FoldingConv` of this factor in place of each,
        which the export folds into a plain one.
    unshuffle
        Side of the blocks of pixels that become channels before the first convolution: 1, 2 or 4.
        At 2, a network does a quarter of the work and sees twice as far; height and width must be
        multiples of it. After Zhang et al., "FFDNet", 2018 (arXiv 1710.04026).
    window
        Frames in the input: 1, or 3 for the previous, the current and the next one.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        scale: int,
        colour: str,
        expand: int = 0,
        unshuffle: int = 1,
        window: int = 1,
    ) -> None:
        super().__init__()
        between(1, 4)("scale", scale)
        at_least(2)("depth", depth)
        at_least(1)("width", width)
        at_least(0)("expand", expand)
        one_of((1, 2, 4))("unshuffle", unshuffle)
        one_of(WINDOWS)("window", window)
        self.scale, self.unshuffle, self.window = scale, unshuffle, window
        planes = channels_of(colour)
        channels = self.channels = planes * unshuffle**2
        sizes = [channels * window] + [width] * (depth - 1) + [channels * scale * scale]
        last = depth - 1
        self.layers = nn.ModuleList(
            _layer(inputs, outputs, expand, first=index == 0, last=index == last)
            for index, (inputs, outputs) in enumerate(pairwise(sizes))
        )
        self.gather = Unshuffle(planes * window, unshuffle) if unshuffle > 1 else nn.Identity()
        self.repeat: Tensor
        self.register_buffer("repeat", _repeat(channels, scale, unshuffle), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (N, window*C, H, W), values 0 to 1, to (N, C, scale*H, scale*W)."""
        folded = self.gather(x)
        features = folded
        if self.window > 1:
            first = self.window // 2 * self.channels
            folded = folded[:, first : first + self.channels]
        for layer in self.layers[:-1]:
            features = torch.relu(layer(features))
        # A single channel broadcasts, and at scale 1 each has one place: neither needs repeating.
        difference = self.layers[-1](features)
        repeated = folded
        if folded.shape[1] > 1 and self.scale > 1:
            # In mixed precision a convolution would round the picture to 8 bits of mantissa.
            exact = difference.dtype == x.dtype
            repeated = F.conv2d(folded, self.repeat) if exact else self._repeated(folded)
        return F.pixel_shuffle(difference + repeated, self.scale * self.unshuffle)

    def _repeated(self, folded: Tensor) -> Tensor:
        return folded.index_select(1, self.repeat[:, :, 0, 0].argmax(1))


def _repeat(channels: int, scale: int, unshuffle: int) -> Tensor:
    """Make the 1x1 convolution that gives each channel before the shuffle the pixel under it."""
    sources = torch.arange(channels).view(1, -1, unshuffle, unshuffle).float()
    under = F.interpolate(sources, scale_factor=float(scale), mode="nearest").long().flatten()
    return F.one_hot(under, channels).float()[:, :, None, None]


@torch.no_grad()
def _layer(
    inputs: int, outputs: int, expand: int, *, first: bool, last: bool
) -> nn.Conv2d | FoldingConv:
    """Make a layer that starts near the identity, or near zero when it is the last.

    The network then begins near the upsample.
    """
    layer = FoldingConv(inputs, outputs, expand=expand) if expand else None
    conv = layer.direct if layer else nn.Conv2d(inputs, outputs, 3, padding=1)
    assert conv.bias is not None
    nn.init.kaiming_normal_(conv.weight)
    nn.init.zeros_(conv.bias)
    if last:
        conv.weight.mul_(0.1)
        if layer:
            layer.narrow.weight.mul_(0.1)
    elif not first:
        conv.weight.mul_(0.3)
        diagonal = torch.arange(outputs)
        conv.weight[diagonal, diagonal, 1, 1] += 1
    return layer or conv


def deepen(weights: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Put layers before the last one of a folded `CompactNet`, which compute the same as it did.

    They begin as the identity, which a convolution and a ReLU can be where all values come from
    another ReLU; see Chen et al., "Net2Net", 2016 (arXiv 1511.05641). Takes its state and gives
    that of a folded network of so many layers more.
    """
    last = max(int(name.split(".")[1]) for name in weights if name.startswith("layers."))
    width = weights[f"layers.{last}.weight"].shape[1]
    deeper = dict(weights)
    identity = torch.zeros(width, width, 3, 3)
    identity[torch.arange(width), torch.arange(width), 1, 1] = 1
    for part in ("weight", "bias"):
        deeper[f"layers.{last + layers}.{part}"] = weights[f"layers.{last}.{part}"]
    for index in range(last, last + layers):
        deeper[f"layers.{index}.weight"] = identity.clone()
        deeper[f"layers.{index}.bias"] = torch.zeros(width)
    return deeper


def look_around(weights: Mapping[str, Tensor], window: int) -> dict[str, Tensor]:
    """Give a folded `CompactNet` a window of frames, of which it uses the middle one as it did.

    Takes its state, of single frames, and gives that of a folded network whose first layer sees the
    other frames by zeros.
    """
    first = weights["layers.0.weight"]
    before = torch.zeros(first.shape[0], window // 2 * first.shape[1], 3, 3)
    wider = {**weights, "layers.0.weight": torch.cat([before, first, before], dim=1)}
    if "gather.weight" in weights:
        planes, side = weights["gather.weight"].shape[1:3]
        wider["gather.weight"] = Unshuffle(planes * window, side).plain().weight.detach()
    return wider
