"""Layers that several networks are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.model.manifest import COLOURS
from restore_rt.training.limits import one_of

__all__ = ["Rise", "channels_of", "conv3x3", "enlargement"]


def channels_of(colour: str) -> int:
    """Return the channels of ``"luma"``, 1, or ``"rgb"``, 3; `InputError` for others."""
    one_of(COLOURS)("colour", colour)
    return 3 if colour == "rgb" else 1


class Rise(nn.Module):
    """Enlarge by `factor`: the linear map of a transposed convolution of that size and stride.

    It is computed as a 1x1 convolution and a pixel shuffle, which every backend runs well, and
    which PyTorch trains faster on a CPU.
    """

    def __init__(self, inputs: int, outputs: int, *, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.conv = nn.Conv2d(inputs, outputs * factor**2, 1)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="linear")
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x` (N, inputs, H, W) to (N, outputs, factor*H, factor*W)."""
        return F.pixel_shuffle(self.conv(x), self.factor)


def conv3x3(inputs: int, outputs: int, *, gain: float = 1.0) -> nn.Conv2d:
    """Make a padded 3x3 convolution for use before a ReLU, its first weights times `gain`."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    conv.weight.data.mul_(gain)
    return conv


def enlargement(scale: int, inputs: int, outputs: int) -> nn.Sequential:
    """Return layers that double the size, for scale 2; for scale 1 none, which change nothing."""
    if scale == 1:
        return nn.Sequential()
    return nn.Sequential(Rise(inputs, outputs), nn.ReLU(), conv3x3(outputs, outputs), nn.ReLU())
