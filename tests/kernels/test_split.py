from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restore_rt import reference
from restore_rt._ext import TileGrid, split_into
from tests.kernels.arrays import CASES, Array, Layout, frame_shape, grids, random_frame


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(**CASES, threads=st.integers(1, 4))
@example(TileGrid(301, 517, 96, overlap=16, halo=2), 3, np.float32, 4, 0)
@example(TileGrid(3, 700, (8, 600), overlap=4, halo=0), 1, np.float16, 2, 0)
def test_tiles_equal_the_oracles_bit_for_bit(
    isa: str,
    layout: Layout,
    dtype: type,
    grid: TileGrid,
    channels: int | None,
    real: type,
    threads: int,
    seed: int,
) -> None:
    frame = random_frame(frame_shape(grid.height, grid.width, channels), dtype, seed)
    expected = reference.split(frame, grid, dtype=real)
    tiles: Array = np.full(expected.shape, np.nan, real)
    split_into(tiles, layout(frame), grid, threads=threads)
    np.testing.assert_array_equal(tiles, expected)


@given(grid=grids(), data=st.data())
def test_a_batch_is_a_part_of_the_whole(grid: TileGrid, data: st.DataObject) -> None:
    frame = random_frame((grid.height, grid.width, 3), np.uint8, 1)
    first = data.draw(st.integers(0, grid.count - 1))
    batch = data.draw(st.integers(0, min(9, grid.count - first)))
    guarded = np.full((batch + 2, 3, *grid.tile), 9.0, np.float32)
    split_into(guarded[1:-1], frame, grid, first=first)
    expected = reference.split(frame, grid)[first : first + batch]
    np.testing.assert_array_equal(guarded[1:-1], expected)
    assert (guarded[[0, -1]] == 9.0).all()


@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 200), (np.uint16, 1023), (np.float32, 3.5)])
def test_peak_divides(isa: str, dtype: type, peak: float) -> None:
    grid = TileGrid(40, 33, 16, overlap=4, halo=1)
    frame = random_frame((40, 33), dtype, 2)
    tiles = np.empty((grid.count, 1, 16, 16), np.float32)
    split_into(tiles, frame, grid, peak=peak)
    np.testing.assert_array_equal(tiles, reference.split(frame, grid, peak=peak))


def test_a_frame_of_one_repeated_element_is_read() -> None:
    frame = np.broadcast_to(np.uint8(51), (20, 30))
    grid = TileGrid(20, 30, 16, overlap=4, halo=0)
    tiles = np.empty((grid.count, 1, 16, 16), np.float32)
    split_into(tiles, frame, grid)
    assert (tiles == np.float32(51) / np.float32(255)).all()


@pytest.mark.parametrize(
    ("length", "tile", "expected"),
    [
        (4, 6, [0, 1, 2, 3, 2, 1]),
        (4, 7, [0, 1, 2, 3, 2, 1, 0]),
        (4, 8, [0, 1, 2, 3, 3, 3, 3, 3]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_padding_reflects_or_repeats(length: int, tile: int, expected: list[int]) -> None:
    frame = np.arange(length, dtype=np.float32)
    tiles = np.empty((1, 1, 1, tile), np.float32)
    split_into(tiles, frame[np.newaxis], TileGrid(1, length, (1, tile), overlap=0, halo=0))
    assert tiles.ravel().tolist() == expected
    tiles = tiles.reshape(1, 1, tile, 1)
    split_into(tiles, frame[:, np.newaxis], TileGrid(length, 1, (tile, 1), overlap=0, halo=0))
    assert tiles.ravel().tolist() == expected


def test_every_kind_of_float_becomes_the_nearest_half(isa: str) -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    exact = halves[np.isfinite(halves)].astype(np.float32)
    between = np.random.default_rng(3).integers(0, 2**32, 2**17, np.uint32).view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        ties = exact + (np.nextafter(exact.astype(np.float16), np.float16(9e4)) - exact) / 2
        values = np.concatenate([exact, ties, between, np.nextafter(ties, np.float32(np.inf))])
        width = len(values) // 8 + 1
        values = np.resize(values, (8, width)).astype(np.float32)
        expected = values.astype(np.float16)
    tiles = np.empty((1, 1, *values.shape), np.float16)
    split_into(tiles, values, TileGrid(8, width, (8, width), overlap=0, halo=0))
    same = (tiles[0, 0].view(np.uint16) == expected.view(np.uint16)) | np.isnan(expected)
    assert same.all()
    assert (np.isnan(tiles[0, 0]) == np.isnan(expected)).all()
