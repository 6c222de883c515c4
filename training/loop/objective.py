"""The generator's objective: the recipe's losses by their weights."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor, nn

from restore_rt.errors import InputError
from restore_rt.training.data.pictures import read_bytes
from restore_rt.training.losses import LOSSES, Perceptual
from restore_rt.training.losses.pixels import softened
from restore_rt.training.precision import Precision
from restore_rt.training.recipes import Recipe

__all__ = ["Objective"]

# Losses that grow with a difference as it does, at least where it is not tiny.
PIXELWISE = ("charbonnier", "l1", "luma")
# Added to the error of a first fill, which can be zero.
ERROR = 0.02


class Objective(nn.Module):
    """The weighted sum of a recipe's losses, on a device.

    Features of a perceptual loss are computed in the precision of the training, all else in
    float32. `made_from` has the CRC of the weights that the perceptual loss compares with, if there
    is one, as ``features``. Raises `InputError` if these weights are missing or wrong, or have no
    such layer.
    """

    def __init__(self, recipe: Recipe, precision: Precision) -> None:
        super().__init__()
        self.precision = precision
        self.weights = dict(recipe.loss)
        self.sharpen = recipe.sharpen
        self.perceptual: Perceptual | None = None
        self.made_from: dict[str, int] = {}
        if recipe.perceptual:
            from restore_rt.training.features.networks import DEFAULT, load_features

            own = recipe.perceptual.weights
            file = recipe.folder / own if own else DEFAULT
            features = load_features(file)
            try:
                perceptual = Perceptual(features, recipe.perceptual.layer)
            except InputError as error:
                raise InputError(f"perceptual.{error}; these are the layers of {file}") from None
            # Convolutions of few channels are faster so, on a CPU.
            self.perceptual = perceptual.to(precision.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.made_from["features"] = zlib.crc32(read_bytes(file))

    def forward(self, output: Tensor, target: Tensor, holes: Tensor | None = None) -> Tensor:
        """Compare (N, C, H, W) with (N, C, H, W), both float32 of 0 to 1.

        `holes` (N, C + 1, H, W) is the input of a network that fills holes: outputs are right
        everywhere else. The losses in `PIXELWISE` are then means over the holes, each picture's
        divided by how far the input is off there: large errors of wide holes, which nobody can
        foresee, would drown what can be learnt from narrow ones.
        """
        total = output.new_zeros(())
        output = self._seen(output)
        weights = None if holes is None else _hole_weights(holes, target)
        for name, weight in self.weights.items():
            compared = output
            if weights is not None and name in PIXELWISE:
                compared = target + (output - target) * weights
            total = total + weight * self._loss(name, compared, target)
        return total

    def _seen(self, output: Tensor) -> Tensor:
        """Make of an output what the losses compare."""
        return output if self.sharpen is None else softened(output, sigma=self.sharpen.sigma)

    def _loss(self, name: str, output: Tensor, target: Tensor) -> Tensor:
        if name != "perceptual":
            return LOSSES[name](output, target)
        assert self.perceptual is not None
        with self.precision.autocast():
            value: Tensor = self.perceptual(output, target)
        return value

    def fault(self, output: Tensor, target: Tensor) -> str:
        """Name the first loss that is not finite; empty if all are."""
        output = self._seen(output)
        for name in self.weights:
            if not self._loss(name, output, target).isfinite():
                return f", first in the loss {name}"
        return ""


def _hole_weights(x: Tensor, target: Tensor) -> Tensor:
    """Return what turns each picture's mean over all pixels into one of its holes, relative."""
    share = x[:, -1:].mean((1, 2, 3), keepdim=True)
    error = (x[:, :-1] - target).abs().mean((1, 2, 3), keepdim=True) / share
    return 1 / (share * (error + ERROR))
