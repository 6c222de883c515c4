"""A small network that enlarges and mends the chroma of 4:2:0 video."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.training.limits import at_least, one_of

__all__ = ["ChromaNet"]

# The channels of the input; csrc/cpu/chroma.inl makes them.
INPUTS, CB, DETAIL = 16, 4, 6
# What chroma is given of luma's detail, in the beginning.
SHARE = 0.7


class ChromaNet(nn.Module):
    """3x3 convolutions with ReLU beside a single one, then a pixel shuffle to Cb and Cr.

    The input has the size of the chroma planes and 16 channels: luma, Cb, Cr, and the detail that
    chroma probably has, see ``restore_rt._ext.chroma_inputs_into``. Cb and Cr are less grey there,
    so that zeros beyond the edge are no colour, and so are those of the output.

    Before the training it gives bilinear chroma with a share of that detail; the single convolution
    keeps that, and the others learn what is to be changed. The receptive radius is `depth` samples
    of chroma.

    Parameters
    ----------
    width
        Channels of the hidden layers, at least 1.
    depth
        Convolutions in all, at least 2.
    scale
        2 alone.
    colour
        ``"chroma"`` alone.
    """

    def __init__(self, *, width: int, depth: int, scale: int, colour: str) -> None:
        super().__init__()
        one_of((2,))("scale", scale)
        one_of(("chroma",))("colour", colour)
        at_least(2)("depth", depth)
        at_least(1)("width", width)
        self.scale = scale
        sizes = [INPUTS] + [width] * (depth - 1) + [2 * scale**2]
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in pairwise(sizes)
        )
        self.skip = nn.Conv2d(INPUTS, 2 * scale**2, 3, padding=1)
        self._begin()

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge chroma: `x` (N, 16, H, W) to Cb and Cr, (N, 2, 2H, 2W), less grey."""
        features = x
        for layer in self.layers[:-1]:
            features = torch.relu(layer(features))
        return F.pixel_shuffle(self.layers[-1](features) + self.skip(x), self.scale)

    @torch.no_grad()
    def _begin(self) -> None:
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            if number == len(self.layers) - 1:
                layer.weight.mul_(0.1)
            elif number:
                layer.weight.mul_(0.3)
                diagonal = torch.arange(layer.out_channels)
                layer.weight[diagonal, diagonal, 1, 1] += 1
        assert self.skip.bias is not None
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)
        # Rows lie between each other, and columns on the left sample or halfway to the next.
        rows = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
        columns = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])
        for output in range(2 * self.scale**2):
            colour, row, column = output // 4, output // 2 % 2, output % 2
            self.skip.weight[output, CB + colour] = torch.outer(rows[row], columns[column])
            self.skip.weight[output, DETAIL + output, 1, 1] = SHARE
