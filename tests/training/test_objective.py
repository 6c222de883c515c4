from __future__ import annotations

import dataclasses

import pytest
import torch

from restore_rt.training.loop.objective import Objective
from restore_rt.training.losses.pixels import softened
from restore_rt.training.precision import Precision
from restore_rt.training.recipes import Sharpen, load_recipe


def test_the_losses_compare_softened_outputs() -> None:
    recipe = dataclasses.replace(load_recipe("video-x2"), sharpen=Sharpen(sigma=0.7))
    objective = Objective(recipe, Precision(recipe.optim.precision, "cpu"))
    output = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    assert objective(output, softened(output, sigma=0.7)).item() == pytest.approx(0, abs=1e-6)
    assert objective(output, output) > 0.01
