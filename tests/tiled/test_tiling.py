from __future__ import annotations

import pytest

from restore_rt import _ext
from restore_rt.tiled.runner import Workspace
from restore_rt.tiled.sizes import TileSizes


def sizes(tile: tuple[int, int], *, multiple: int = 1, batch: int = 1) -> TileSizes:
    return TileSizes(tile=tile, overlap=24, halo=8, feather=8, multiple=multiple, batch=batch)


@pytest.mark.parametrize("multiple", [1, 4, 8])
@pytest.mark.parametrize("length", [1, 63, 64, 65, 104, 105, 500, 721, 1283])
def test_fitted_tiles_are_as_many_and_no_larger(multiple: int, length: int) -> None:
    wanted = sizes((64, 128), multiple=multiple)
    grid = wanted.grid(length, length, 2)
    assert grid.tile[0] <= 64
    assert grid.tile[1] <= 128
    assert not any(side % multiple for side in grid.tile)
    largest = _ext.TileGrid(
        length, length, (64, 128), overlap=24, halo=8, feather=8, scale=2, multiple=multiple
    )
    assert (grid.rows, grid.cols) == (largest.rows, largest.cols)


def test_fitted_tiles_spare_work() -> None:
    grid = sizes((360, 640)).grid(720, 1280, 2)
    assert (grid.count, grid.tile) == (9, (256, 448))


def test_one_tile_is_the_frame_itself() -> None:
    assert sizes((360, 640)).grid(97, 33, 2).tile == (97, 33)


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 100])
def test_memory_grows_with_the_width_alone(batch: int) -> None:
    space = Workspace((5000, 300), sizes((64, 64), batch=batch), 2, 1)
    assert space.grid.rows > 100
    most = 2 * space.grid.cols + 2 * space.batch
    assert len(space.results) <= most
    for first in range(0, space.grid.count, space.batch):
        tiles, results = space.batch_at(first)
        assert len(tiles) == len(results) == min(space.batch, space.grid.count - first)


def test_halving_ends_and_never_grows_a_tile() -> None:
    current: TileSizes | None = sizes((1000, 600), batch=3)
    seen = []
    while current is not None:
        seen.append(current.tile[0] * current.tile[1] * current.batch)
        assert current.grid(700, 2000, 2).count > 0
        current = current.halved((700, 2000))
    assert seen == sorted(seen, reverse=True)
    assert 5 < len(seen) < 30
