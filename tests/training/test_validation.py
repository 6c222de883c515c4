from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from restore_rt.training.data.batches import load_data
from restore_rt.training.data.regions import MULTIPLE, Pair
from restore_rt.training.loop.validation import restore, sample_grid, validate
from tests.training.conftest import RecipeOf

CPU = torch.device("cpu")


class Repeats(nn.Module):
    """Enlarges by repeating pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def pair(error: tuple[int, ...], height: int = 5, width: int = 7) -> Pair:
    """Make a flat pair of which each channel is wrong by so much."""
    small = np.full((len(error), height, width), 100, np.uint8)
    large = small.repeat(2, 1).repeat(2, 2) + np.array(error, np.uint8)[:, None, None]
    return Pair(small, large)


def test_the_error_is_averaged_over_channels_before_it_becomes_decibels() -> None:
    scores = validate(Repeats(), {"a": [pair((0, 6, 3))]}, scale=2, device=CPU)
    assert scores["a"] == pytest.approx(10 * np.log10(255**2 / 15))


def test_a_picture_without_error_counts_for_a_hundred() -> None:
    pairs = {"flat": [pair((0,)), pair((5,))], "all": [pair((0, 0, 0))]}
    scores = validate(Repeats(), pairs, scale=2, device=CPU)
    assert scores["all"] == 100
    assert scores["flat"] == pytest.approx((100 + 20 * np.log10(255 / 5)) / 2)


def test_validation_runs_in_whole_float32() -> None:
    seen = []

    class Looks(Repeats):
        def forward(self, x: Tensor) -> Tensor:
            seen.append((torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()))
            return super().forward(x)

    restore(Looks(), pair((0,)).input, CPU)
    assert seen == [(False, "highest")]


@pytest.mark.parametrize(("variants", "rows"), [(1, 4), (2, 4), (3, 3), (5, 5)])
def test_a_grid_has_four_columns_and_a_row_for_each_picture(variants: int, rows: int) -> None:
    pairs = {str(n): [pair((0, 1, 2), 32, 40)] * 4 for n in range(variants)}
    grid = sample_grid(Repeats(), pairs, scale=2, device=CPU)
    # Cells are cut to multiples of 16 and lie 4 pixels apart.
    assert grid.shape == (rows * 64 + (rows - 1) * 4, 4 * 64 + 3 * 4, 3)
    assert grid.dtype == np.uint8


def test_inputs_are_cut_to_multiples_after_the_camera_drifted(
    recipe_of: RecipeOf, pictures: Path
) -> None:
    recipe = recipe_of(("full_range = 0.5", "full_range = 0.5\nlettering = { share = 0.5 }"))
    patches, pairs, _ = load_data(recipe, pictures, say=lambda line: None)
    patches.regions.close()
    assert pairs.keys() == {"clean", "h264", "jpeg"}
    for some in pairs.values():
        for one in some:
            assert all(side % MULTIPLE == 0 and side > 0 for side in one.input.shape[1:])
            assert one.target.shape[1:] == tuple(2 * side for side in one.input.shape[1:])
