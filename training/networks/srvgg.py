"""The plain network of Real-ESRGAN's small models, in whose shape many weights are published."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.training.limits import at_least, between
from restore_rt.training.networks.layers import channels_of, conv3x3

__all__ = ["Srvgg"]


class Srvgg(nn.Module):
    """3x3 convolutions with PReLU, then a pixel shuffle, added to a nearest upsample of the input.

    The layout of SRVGGNetCompact, the network of realesr-animevideov3 (64 channels, 18
    convolutions) and realesr-general-x4v3 (64, 34); see Wang et al., "Real-ESRGAN", 2021 (arXiv
    2107.10833), He et al., "Delving Deep into Rectifiers", 2015 (arXiv 1502.01852), for PReLU, and
    Shi et al., "Real-Time Single Image and Video Super-Resolution", 2016 (arXiv 1609.05158), for
    the shuffle. `CompactNet` does the same with ReLU, and runs faster.

    Parameters
    ----------
    width
        Channels of the hidden layers, at least 1.
    depth
        Convolutions in all, at least 2; two more than what Real-ESRGAN calls ``num_conv``.
    scale
        Output size over input size, 1 to 8.
    colour
        ``"luma"`` for one channel, ``"rgb"`` for three.
    """

    def __init__(self, *, width: int, depth: int, scale: int, colour: str) -> None:
        super().__init__()
        between(1, 8)("scale", scale)
        at_least(2)("depth", depth)
        at_least(1)("width", width)
        self.scale = scale
        channels = channels_of(colour)
        self.layers = nn.ModuleList(
            conv3x3(channels if index == 0 else width, width) for index in range(depth - 1)
        )
        self.bends = nn.ModuleList(nn.PReLU(width) for _ in range(depth - 1))
        # Small, so that training starts near the upsample.
        self.last = conv3x3(width, channels * scale**2, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (N, C, H, W), values 0 to 1, to (N, C, scale*H, scale*W)."""
        features = x
        for layer, bend in zip(self.layers, self.bends, strict=True):
            features = bend(layer(features))
        base = x
        if self.scale > 1:
            base = F.interpolate(x, scale_factor=float(self.scale), mode="nearest")
        return base + F.pixel_shuffle(self.last(features), self.scale)
