from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

import restore_rt
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


def whole_frames(scale: int) -> TileSizes:
    manifest = dataclasses.replace(restore_rt.models()[0], scale=scale, halo=16, multiple=1)
    given: Any = {"tile": None, "overlap": None, "feather": None, "batch": 1}
    return TileSizes.of(manifest, **given, whole=True)


@pytest.mark.parametrize(
    ("scale", "frame"), [(1, (4320, 7680)), (2, (2160, 3840)), (4, (1080, 1920)), (2, (1, 9000))]
)
def test_whole_frames_are_one_tile_up_to_a_result_of_33_megapixels(
    scale: int, frame: tuple[int, int]
) -> None:
    sizes = whole_frames(scale)
    assert sizes.whole
    assert sizes.grid(*frame, scale).tile == frame


@pytest.mark.parametrize(
    ("frame", "tiles"), [((2160, 3840), 6), ((4320, 7680), 18), ((30_000, 30), 1), ((9000, 9), 1)]
)
def test_larger_frames_are_as_few_tiles_as_libraries_can_count(
    frame: tuple[int, int], tiles: int
) -> None:
    """64 channels of a result at four times the size, counted in 31 bits."""
    grid = whole_frames(4).grid(*frame, 4)
    assert math.prod(grid.tile) * 16 * 64 <= 1 << 31
    assert grid.count == tiles


def test_a_whole_frame_is_halved_like_a_tile_of_its_size() -> None:
    smaller = whole_frames(2).halved((1080, 1920))
    assert smaller is not None
    assert not smaller.whole
    assert smaller.tile == (1080, 960)
