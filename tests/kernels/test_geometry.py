from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from restore_rt._ext import TileGrid
from restore_rt.errors import InputError
from restore_rt.reference import AxisTiles
from tests.kernels.arrays import grids

# length, tile, overlap, multiple -> starts, worked out by hand
STARTS = [
    (10, 10, 2, 1, [0]),
    (3, 10, 2, 1, [0]),
    (11, 10, 2, 1, [0, 1]),
    (18, 10, 2, 1, [0, 8]),
    (19, 10, 2, 1, [0, 4, 9]),
    (26, 10, 2, 1, [0, 8, 16]),
    (27, 10, 2, 1, [0, 5, 11, 17]),
    (17, 8, 4, 4, [0, 4, 8, 12]),
    (25, 16, 8, 8, [0, 8, 16]),
    (5, 1, 0, 1, [0, 1, 2, 3, 4]),
    (360, 256, 32, 1, [0, 104]),
    (640, 256, 32, 1, [0, 192, 384]),
]


@pytest.mark.parametrize(("length", "tile", "overlap", "multiple", "starts"), STARTS)
def test_starts_of_hand_worked_axes(
    length: int, tile: int, overlap: int, multiple: int, starts: list[int]
) -> None:
    grid = TileGrid(length, 1, (tile, tile), overlap=overlap, halo=0, feather=0, multiple=multiple)
    assert grid.starts_y() == starts
    assert grid.starts_x() == [0]
    grid = TileGrid(1, length, tile, overlap=overlap, halo=0, feather=0, multiple=multiple)
    assert grid.starts_x() == starts


def test_properties_say_what_was_given() -> None:
    grid = TileGrid(360, np.int64(640), [128, 256], overlap=32, halo=8, scale=2, multiple=4)
    assert (grid.height, grid.width, grid.tile) == (360, 640, (128, 256))
    assert (grid.overlap, grid.halo, grid.feather) == (32, 8, 16)
    assert (grid.scale, grid.multiple, grid.output_shape) == (2, 4, (720, 1280))
    assert (grid.rows, grid.cols, grid.count) == (4, 3, 12)
    assert repr(grid) == (
        "TileGrid(360, 640, (128, 256), overlap=32, halo=8, feather=16, scale=2, multiple=4)"
    )


@given(grid=grids())
def test_every_grid_keeps_the_promises(grid: TileGrid) -> None:
    axes = zip(AxisTiles.of(grid), (grid.starts_y(), grid.starts_x()), strict=True)
    for axis, starts in axes:
        assert starts == axis.starts
        assert starts[0] == 0
        assert all(start % grid.multiple == 0 for start in starts)
        pairs = list(pairwise(starts))
        shared = [before + axis.tile - after for before, after in pairs]
        assert all(axis.overlap <= width < axis.tile for width in shared)
        if len(starts) > 1:
            assert starts[-1] + axis.tile == axis.padded
            gaps = [after - before for before, after in pairs]
            assert max(gaps) - min(gaps) <= grid.multiple
            fewer = (len(starts) - 1) * (axis.tile - axis.overlap) + axis.overlap
            assert fewer < axis.padded
        else:
            assert axis.padded <= axis.tile
        ramps = axis.ramps
        for (before, after), (begin, end) in zip(pairs, ramps, strict=True):
            assert (after + axis.halo) * axis.scale <= begin
            assert end <= (before + axis.tile - axis.halo) * axis.scale
            assert end <= axis.length * axis.scale
        for left, right in pairwise(ramps):
            assert left[1] <= right[0]


GOOD: dict[str, Any] = {
    "height": 100,
    "width": 90,
    "tile": 32,
    "overlap": 8,
    "halo": 2,
    "feather": 4,
    "scale": 2,
    "multiple": 4,
}

BAD: list[tuple[dict[str, Any], str]] = [
    ({"height": 0}, "height is 0; allowed are 1 to"),
    ({"width": -3}, "width is -3; allowed are 1 to"),
    ({"height": 2**20 + 1}, "height is 1048577; allowed are 1 to 1048576"),
    ({"width": 2**70}, "width is 1180591620717411303424"),
    ({"height": -(2**80)}, "height is -"),
    ({"tile": 0}, "tile height is 0"),
    ({"tile": 2**21}, "tile height is 2097152"),
    ({"tile": (32, -4)}, "tile width is -4"),
    ({"tile": (32, 32, 32)}, r"tile is \(32, 32, 32\); it must be"),
    ({"tile": ()}, r"tile is \(\)"),
    ({"tile": 30}, "multiple is 4 and tile height is 30"),
    ({"tile": (32, 33)}, "multiple is 4 and tile width is 33"),
    ({"multiple": 0}, "multiple is 0"),
    ({"multiple": -4}, "multiple is -4"),
    ({"multiple": 2**62}, "multiple is 4611686018427387904"),
    ({"overlap": -4}, "overlap is -4"),
    ({"overlap": 32}, "overlap is 32; for a tile height of 32 it must be less"),
    ({"overlap": 10}, "overlap is 10; .* a multiple of 4"),
    ({"overlap": 2**62}, "overlap is 46116"),
    ({"tile": (32, 8)}, "overlap is 8; for a tile width of 8"),
    ({"halo": -1}, "halo is -1"),
    ({"halo": 5}, "halo is 5; with overlap 8 it must be 0 to 4"),
    ({"halo": 2**62}, "halo is 46116"),
    ({"feather": -1}, "feather is -1"),
    ({"feather": 5}, "feather is 5; with overlap 8 and halo 2 it must be 0 to 4"),
    ({"feather": 2**62}, "feather is 46116"),
    ({"scale": 0}, "scale is 0"),
    ({"scale": 17}, "scale is 17; allowed are 1 to 16"),
    ({"scale": 2**62}, "scale is 46116"),
    ({"overlap": 24, "halo": 0, "feather": 24}, "three tiles .*up to 4 always fits"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_grids_are_refused(change: dict[str, Any], message: str) -> None:
    TileGrid(**GOOD)
    with pytest.raises(InputError, match=message):
        TileGrid(**{**GOOD, **change})


@pytest.mark.parametrize("name", GOOD)
def test_fractions_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match="must be a whole number"):
        TileGrid(**{**GOOD, name: 2.5})
