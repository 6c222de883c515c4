"""Layers that training has in a form of its own, and that `fold` makes plain convolutions of."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["FoldingConv", "Unshuffle", "fold", "unfold"]


class FoldingConv(nn.Module):
    """A 3x3 convolution whose kernel is the sum of linear branches.

    The branches are a 3x3 convolution, and a 1x1 convolution to `expand` (at least 1) times the
    inputs followed by a 3x3 one. All are linear, so their sum is one 3x3 kernel. It is summed
    before the pixels are touched, which makes training cost hardly more than one convolution does;
    see Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution", 2022, and
    Ding et al., "RepVGG", 2021, for branches that are summed after the training.
    """

    def __init__(self, inputs: int, outputs: int, *, expand: int) -> None:
        super().__init__()
        self.direct = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.widen = nn.Conv2d(inputs, inputs * expand, 1, bias=False)
        self.narrow = nn.Conv2d(inputs * expand, outputs, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.widen.weight)
        nn.init.kaiming_normal_(self.narrow.weight)
        with torch.no_grad():
            self.narrow.weight.mul_(0.1)

    def kernel(self) -> Tensor:
        """Sum the branches into one kernel (outputs, inputs, 3, 3)."""
        product = torch.einsum("omhw,mi->oihw", self.narrow.weight, self.widen.weight[:, :, 0, 0])
        return self.direct.weight + product

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` (N, inputs, H, W) to (N, outputs, H, W), padded with zeros."""
        return F.conv2d(x, self.kernel(), self.direct.bias, padding=1)

    @torch.no_grad()
    def plain(self) -> nn.Conv2d:
        """Make the convolution that does the same."""
        plain = copy.deepcopy(self.direct)
        # In double precision, so that the order of the sums does not show.
        plain.weight.copy_(copy.deepcopy(self).double().kernel())
        return plain

    @torch.no_grad()
    def take(self, plain: nn.Conv2d) -> None:
        """Do what `plain` does from now on: the first branch makes up for what the second adds."""
        product = copy.deepcopy(self).double().kernel() - self.direct.weight.double()
        self.direct.load_state_dict(plain.state_dict())
        self.direct.weight.copy_(self.direct.weight.double() - product)


class Unshuffle(nn.Module):
    """Makes channels of the pixels of each block: (N, C, H, W) to (N, C * side**2, H/side, W/side).

    H and W must be multiples of `side`. The export has no operation for it; as a convolution by
    zeros and ones it is one.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.channels, self.side = channels, side

    def forward(self, x: Tensor) -> Tensor:
        """Make channels of pixels, row by row within a block."""
        return F.pixel_unshuffle(x, self.side)

    def plain(self) -> nn.Conv2d:
        """Make the convolution that does the same, exactly."""
        inputs, side = self.channels, self.side
        conv = nn.Conv2d(inputs, inputs * side**2, side, stride=side, bias=False)
        with torch.no_grad():
            conv.weight.copy_(torch.eye(inputs * side**2).view_as(conv.weight))
        return conv


@torch.no_grad()
def fold(network: nn.Module) -> nn.Module:
    """Replace training-only layers by plain convolutions, in place; return the network.

    What it computes stays the same: each `FoldingConv` becomes a convolution by the sum of its
    branches, and each `Unshuffle` one by zeros and ones.
    """
    for name, child in network.named_children():
        if isinstance(child, FoldingConv | Unshuffle):
            setattr(network, name, child.plain())
        else:
            fold(child)
    return network


def unfold(network: nn.Module, plain: nn.Module) -> None:
    """Make `network` compute what `plain` does, which is a folded network of the same layers."""
    for name, child in plain.named_children():
        mine = network.get_submodule(name)
        if isinstance(mine, FoldingConv):
            assert isinstance(child, nn.Conv2d)
            mine.take(child)
        elif isinstance(mine, Unshuffle):
            continue
        elif any(True for _ in child.children()):
            unfold(mine, child)
        else:
            mine.load_state_dict(child.state_dict())
