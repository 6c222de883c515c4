"""Channel attention: over the whole input, or over a neighbourhood, which tiles can have."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ATTENTIONS", "PATCH", "REACH", "PatchAttention", "WholeAttention", "make_attention"]

ATTENTIONS = ("none", "whole", "patch")
# In pixels; inputs must be multiples of it.
PATCH = 4
# In patches, and odd.
REACH = 9


class WholeAttention(nn.Module):
    """Weights each channel by a function of all the channels' means over the whole input.

    From Hu et al., "Squeeze-and-Excitation Networks", 2018 (arXiv 1709.01507). What it gives
    depends on where tiles are cut.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = _Weigh(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Weight the channels of `x` (N, C, H, W)."""
        return x * self.weigh(x.mean((2, 3), keepdim=True))  # type: ignore[no-any-return]


class PatchAttention(nn.Module):
    """Weights each channel by a function of all the channels' means over a neighbourhood.

    The means are over `REACH` patches of `PATCH` pixels in each direction, and over fewer at the
    input's border, so that no padding is in them. Weights are constant within a patch, so that
    the module commutes with shifts by multiples of `PATCH`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = _Weigh(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Weight the channels of `x` (N, C, H, W); H and W are multiples of `PATCH`."""
        half = REACH // 2
        means = F.avg_pool2d(x, PATCH)
        # How many patches lie inside is a product of rows and columns, so the mean separates.
        means = F.avg_pool2d(means, (REACH, 1), 1, (half, 0), count_include_pad=False)
        means = F.avg_pool2d(means, (1, REACH), 1, (0, half), count_include_pad=False)
        return x * F.interpolate(self.weigh(means), scale_factor=float(PATCH), mode="nearest")


class _Weigh(nn.Module):
    """Channels' weights, 0 to 2, from channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(4, channels // 4)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)
        assert self.excite.bias is not None
        nn.init.zeros_(self.excite.bias)
        with torch.no_grad():
            # Training starts with weights near 1.
            self.excite.weight.mul_(0.1)

    def forward(self, means: Tensor) -> Tensor:
        return 2 * torch.sigmoid(self.excite(torch.relu(self.squeeze(means))))


def make_attention(name: str, channels: int) -> nn.Module:
    """Make the attention called `name`, one of `ATTENTIONS`, for (N, `channels`, H, W)."""
    if name == "none":
        return nn.Identity()
    return WholeAttention(channels) if name == "whole" else PatchAttention(channels)
