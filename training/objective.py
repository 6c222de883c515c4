"""What the generator is trained on: the recipe's losses by their weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from restore_rt.training.losses import LOSSES, Perceptual
from restore_rt.training.recipe import Recipe

__all__ = ["Objective"]


class Objective(nn.Module):
    """The weighted sum of a recipe's losses."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.weights = dict(recipe.loss)
        self.perceptual: Perceptual | None = None
        if recipe.perceptual:
            from restore_rt.training.features import default_features, load_features

            weights = recipe.perceptual.weights
            features = load_features(Path(weights)) if weights else default_features()
            self.perceptual = Perceptual(features, recipe.perceptual.layer)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Compare (N, C, H, W) with (N, C, H, W), both float32 of 0 to 1."""
        total = output.new_zeros(())
        for name, weight in self.weights.items():
            loss = self.perceptual if name == "perceptual" else LOSSES[name]
            assert loss is not None
            total = total + weight * loss(output, target)
        return total
