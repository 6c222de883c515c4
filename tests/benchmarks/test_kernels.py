"""The benchmark of split and merge: the rivals compute the same."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from restore_rt import _ext


@pytest.fixture
def kernels() -> Any:
    return importlib.import_module("kernels")


def _grid() -> _ext.TileGrid:
    return _ext.TileGrid(40, 56, 24, overlap=8, halo=2, feather=3, scale=2)


def test_weights_of_all_tiles_sum_to_one(kernels: Any) -> None:
    grid = _grid()
    total = np.zeros((1, *grid.output_shape))
    for weight, place in zip(kernels.weights(grid), kernels._places(total, grid, 2), strict=True):
        place += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("name", ["restore_rt", "numpy", "opencv", "torch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_way_computes_what_the_oracle_does(kernels: Any, name: str, channels: int) -> None:
    way, rng = kernels.WAYS[name], np.random.default_rng(0)
    pytest.importorskip(way.module)
    frame, grid = rng.integers(0, 256, (40, 56, channels), np.uint8), _grid()
    results = rng.uniform(-0.2, 1.2, (grid.count, channels, 48, 48)).astype(np.float32)
    arrays = kernels.Arrays(frame, grid, results)
    # Again, since sums begin anew.
    for _ in range(2):
        np.testing.assert_allclose(way.split(arrays, 1), arrays.tiles, atol=way.off[0])
        assert np.abs(way.merge(arrays, 1).astype(int) - arrays.merged).max() <= way.off[1]


def test_unfolding_needs_tiles_equally_far_apart(kernels: Any) -> None:
    assert kernels.equal_step([0, 20, 40]) == 20
    assert kernels.equal_step([0]) == 1
    with pytest.raises(ValueError, match="not equally far apart"):
        kernels.equal_step([0, 20, 41])


def test_moved_bytes_worked_out_by_hand(kernels: Any) -> None:
    # Tiles begin at 0 and 16, and at 0, 16 and 32.
    assert (_grid().rows, _grid().cols) == (2, 3)
    assert kernels.moved_bytes(_grid(), 3, "split") == (40 * 56 * 3, 4 * 6 * 3 * 24 * 24)
    read = 4 * 3 * (80 + 1 * 6) * (112 + 2 * 6)
    assert kernels.moved_bytes(_grid(), 3, "merge") == (read, 3 * 80 * 112)
