"""The benchmark of split and merge: what others are made of computes the same."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from restore_rt import _ext, reference


@pytest.fixture
def kernels() -> Any:
    return importlib.import_module("kernels")


@pytest.fixture
def rivals() -> Any:
    return importlib.import_module("kernel_rivals")


def _grid() -> _ext.TileGrid:
    return _ext.TileGrid(40, 56, 24, overlap=8, halo=2, feather=3, scale=2)


def test_weights_of_all_tiles_sum_to_one(rivals: Any) -> None:
    grid = _grid()
    total = np.zeros(grid.output_shape)
    corners = [(y, x) for y in grid.starts_y() for x in grid.starts_x()]
    for weight, (y, x) in zip(rivals.weights(grid), corners, strict=True):
        total[2 * y : 2 * y + 48, 2 * x : 2 * x + 48] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("name", ["numpy", "opencv", "torch", "torch fold"])
@pytest.mark.parametrize("channels", [1, 3])
def test_rivals_compute_what_the_kernels_do(rivals: Any, name: str, channels: int) -> None:
    rival = next(rival for rival in rivals.RIVALS if rival.name == name)
    pytest.importorskip(rival.module)
    rng = np.random.default_rng(0)
    frame, grid = rng.integers(0, 256, (40, 56, channels), np.uint8), _grid()
    if rival.split is not None:
        found = rival.split(frame, grid, 1)()
        np.testing.assert_allclose(found, reference.split(frame, grid), atol=rival.split_off)
    tiles = rng.uniform(-0.2, 1.2, (grid.count, channels, 48, 48)).astype(np.float32)
    expected, _ = reference.merge(tiles, grid)
    step = rival.merge(tiles, grid, 1)
    # Again, since sums begin anew.
    for _ in range(2):
        assert np.abs(step().astype(int) - expected).max() <= 1


def test_folding_needs_tiles_equally_far_apart(rivals: Any) -> None:
    assert rivals.equal_step([0, 20, 40]) == 20
    assert rivals.equal_step([0]) == 1
    with pytest.raises(ValueError, match="not equally far apart"):
        rivals.equal_step([0, 20, 41])


def test_moved_bytes_worked_out_by_hand(kernels: Any) -> None:
    # Tiles begin at 0 and 16, and at 0, 16 and 32.
    assert (_grid().rows, _grid().cols) == (2, 3)
    assert kernels.moved_bytes(_grid(), 3, "split") == (40 * 56 * 3, 4 * 6 * 3 * 24 * 24)
    read = 4 * 3 * (80 + 1 * 6) * (112 + 2 * 6)
    assert kernels.moved_bytes(_grid(), 3, "merge") == (read, 3 * 80 * 112)


def test_a_wrong_result_ends_the_benchmark(kernels: Any) -> None:
    with pytest.raises(SystemExit, match=r"x is off by 2\.0; allowed are 1"):
        kernels.check("x", np.array([1, 4]), np.array([1, 2]), 1)
    with pytest.raises(SystemExit, match="x is off by nan"):
        kernels.check("x", np.array([np.nan]), np.array([1.0]), 1)
