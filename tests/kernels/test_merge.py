from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restore_rt import reference
from restore_rt._ext import TileGrid, merge_into, split_into
from tests.kernels.arrays import CASES, Array, Layout, grids, random_tiles


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(**CASES, threads=st.integers(1, 4))
@example(TileGrid(201, 317, 96, overlap=16, halo=2, scale=2), 3, np.float32, 4, 0)
@example(TileGrid(3, 700, (8, 600), overlap=4, halo=0), None, np.float16, 2, 0)
@example(TileGrid(700, 900, 800, overlap=4, halo=0), None, np.float32, 3, 0)
def test_frames_equal_the_oracles_bit_for_bit(
    isa: str,
    layout: Layout,
    dtype: type,
    grid: TileGrid,
    channels: int | None,
    real: type,
    threads: int,
    seed: int,
) -> None:
    tiles = random_tiles(grid, channels or 1, real, seed)
    expected, finite = reference.merge(tiles, grid, dtype=dtype)
    expected = expected[..., 0] if channels is None else expected
    frame = layout(np.full(expected.shape, 123, dtype))
    assert merge_into(frame, tiles, grid, threads=threads) is finite is True
    np.testing.assert_array_equal(frame, expected)


@given(grid=grids(), data=st.data())
def test_a_ring_of_two_tile_rows_is_enough(grid: TileGrid, data: st.DataObject) -> None:
    tiles = random_tiles(grid, 1, np.float32, 5)
    expected, _ = reference.merge(tiles, grid)
    axis, _ = reference.AxisTiles.of(grid)
    slots = data.draw(st.integers(2 * grid.cols, 2 * grid.cols + 3))
    ring = np.full((slots, *tiles.shape[1:]), np.nan, np.float32)
    frame = np.full(expected.shape, 77, np.uint8)
    for row in range(grid.rows):
        for tile in range(row * grid.cols, (row + 1) * grid.cols):
            ring[tile % slots] = tiles[tile]
        before = frame.copy()
        assert merge_into(frame, ring, grid, rows=(row, row + 1))
        written = axis.piece(row, row + 1)
        np.testing.assert_array_equal(frame[written], expected[written])
        before[written] = frame[written]
        np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(frame, expected)


@given(grid=grids(), data=st.data())
def test_any_division_into_rows_makes_the_same_frame(grid: TileGrid, data: st.DataObject) -> None:
    tiles = random_tiles(grid, 3, np.float32, 6)
    whole = np.empty((*grid.output_shape, 3), np.float32)
    parts = np.empty_like(whole)
    merge_into(whole, tiles, grid)
    cuts = data.draw(st.sets(st.integers(1, grid.rows)))
    edges = sorted({0, grid.rows} | cuts)
    for begin, end in pairwise(edges):
        merge_into(parts, tiles, grid, rows=(begin, end))
    np.testing.assert_array_equal(parts, whole)


@given(
    grid=grids(),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    real=st.sampled_from([np.float32, np.float16]),
    data=st.data(),
)
def test_what_is_not_finite_is_found_where_it_is_used(
    isa: str, grid: TileGrid, bad: float, dtype: type, real: type, data: st.DataObject
) -> None:
    tiles = random_tiles(grid, 1, real, 7)
    tiles.flat[data.draw(st.integers(0, tiles.size - 1))] = bad
    _, finite = reference.merge(tiles, grid, dtype=dtype)
    frame: Array = np.empty(grid.output_shape, dtype)
    assert merge_into(frame, tiles, grid, threads=2) is finite


def test_discarded_values_may_be_anything() -> None:
    grid = TileGrid(20, 20, 12, overlap=4, halo=2)
    tiles = np.full((4, 1, 12, 12), np.nan, np.float32)
    tiles[0, 0, :10, :10] = 1
    tiles[1, 0, :10, 2:] = 1
    tiles[2, 0, 2:, :10] = 1
    tiles[3, 0, 2:, 2:] = 1
    frame = np.zeros((20, 20), np.uint8)
    assert merge_into(frame, tiles, grid)
    assert (frame == 255).all()


@pytest.mark.parametrize(
    ("feather", "scale", "ramp"),
    [
        (0, 1, []),
        (1, 1, [0.5]),
        (2, 1, [0.25, 0.75]),
        (1, 2, [0.25, 0.75]),
        (2, 2, [0.125, 0.375, 0.625, 0.875]),
    ],
)
def test_hand_worked_ramps(isa: str, feather: int, scale: int, ramp: list[float]) -> None:
    """Two tiles of 6 over 10 pixels share pixels 4 and 5: the ramp is centred on 5 * scale."""
    grid = TileGrid(1, 10, (3, 6), overlap=2, halo=0, feather=feather, scale=scale)
    tiles = np.zeros((2, 1, 3 * scale, 6 * scale), np.float32)
    tiles[1] = 1
    frame = np.empty((scale, 10 * scale), np.float32)
    merge_into(frame, tiles, grid)
    zeros = (10 * scale - len(ramp)) // 2
    ones = 10 * scale - len(ramp) - zeros
    if len(ramp) % 2:
        zeros, ones = 4, 5
    assert frame[0].tolist() == [0.0] * zeros + ramp + [1.0] * ones
    assert (frame == frame[0]).all()


@given(grid=grids(), value=st.floats(-(2.0**100), 2.0**100, width=32))
def test_equal_tiles_come_out_unchanged(isa: str, grid: TileGrid, value: float) -> None:
    shape = (grid.tile[0] * grid.scale, grid.tile[1] * grid.scale)
    frame = np.empty(grid.output_shape, np.float32)
    merge_into(frame, np.full((grid.count, 1, *shape), value, np.float32), grid)
    assert (frame == np.float32(value)).all()


@given(tile=st.integers(1, 60), overlap=st.integers(0, 40), scale=st.integers(1, 4), data=st.data())
def test_the_two_weights_sum_to_exactly_one(
    isa: str, tile: int, overlap: int, scale: int, data: st.DataObject
) -> None:
    overlap = min(overlap, tile // 3)
    width = data.draw(st.integers(1, 200))
    grid = TileGrid(1, width, (tile, tile), overlap=overlap, halo=0, scale=scale)
    odd = np.zeros((grid.count, 1, tile * scale, tile * scale), np.float32)
    odd[1::2] = 1
    frames = np.empty((2, scale, width * scale), np.float32)
    merge_into(frames[0], odd, grid)
    merge_into(frames[1], 1 - odd, grid)
    assert (frames.sum(axis=0) == 1).all()


@pytest.mark.parametrize(
    ("dtype", "real"), [(np.uint8, np.float32), (np.uint8, np.float16), (np.uint16, np.float32)]
)
def test_every_sample_value_survives(isa: str, dtype: type, real: type) -> None:
    size = int(np.iinfo(dtype).max) + 1
    frame: Array = np.arange(size).astype(dtype).reshape(16, -1)
    grid = TileGrid(16, size // 16, (16, 16), overlap=4, halo=1)
    tiles: Array = np.empty((grid.count, 1, 16, 16), real)
    split_into(tiles, frame, grid)
    result = np.empty_like(frame)
    assert merge_into(result, tiles, grid)
    np.testing.assert_array_equal(result, frame)


def test_identity_returns_every_size_bit_for_bit() -> None:
    rng = np.random.default_rng(8)
    source = rng.integers(0, 256, (97, 97, 3), np.uint8)
    sizes = [(h, w) for h in range(1, 98) for w in range(1, 98)]
    for height, width in sizes:
        frame = source[:height, :width]
        grid = TileGrid(height, width, (32, 24), overlap=8, halo=2, multiple=2)
        tiles = np.empty((grid.count, 3, 32, 24), np.float32)
        split_into(tiles, frame, grid)
        result = np.zeros_like(frame)
        assert merge_into(result, tiles, grid)
        assert (result == frame).all(), (height, width)


@pytest.mark.parametrize("size", [(98, 211), (255, 256), (257, 1), (1, 1023), (540, 641)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_identity_returns_larger_frames_bit_for_bit(size: tuple[int, int], dtype: type) -> None:
    frame: Array = (np.random.default_rng(9).random((*size, 3)) * 65535).astype(dtype)
    grid = TileGrid(*size, (64, 128), overlap=16, halo=3, feather=1)
    tiles = np.empty((grid.count, 3, 64, 128), np.float32)
    split_into(tiles, frame, grid, threads=3)
    result = np.zeros_like(frame)
    assert merge_into(result, tiles, grid, threads=3)
    np.testing.assert_array_equal(result, frame)


def box_blur(images: Array, radius: int) -> Array:
    """Sum over a square window with zeros outside, as a convolution pads."""
    pad = [(0, 0)] * (images.ndim - 2) + [(radius, radius)] * 2
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(images, pad), (2 * radius + 1,) * 2, axis=(-2, -1)
    )
    result: Array = windows.sum(axis=(-2, -1), dtype=np.float32)
    return result


@pytest.mark.parametrize(("radius", "feather"), [(0, 8), (1, 0), (2, 3), (3, 2), (4, 0)])
def test_a_convolution_within_the_halo_leaves_no_seam(radius: int, feather: int) -> None:
    """Small integers, so that sums are exact and equality is bit for bit."""
    frame = np.random.default_rng(10).integers(0, 256, (75, 90)).astype(np.float32)
    grid = TileGrid(75, 90, (32, 40), overlap=8, halo=radius, feather=feather)
    tiles = np.empty((grid.count, 1, 32, 40), np.float32)
    split_into(tiles, frame, grid)
    result = np.empty_like(frame)
    assert merge_into(result, box_blur(tiles, radius), grid)
    np.testing.assert_array_equal(result, box_blur(frame, radius))


@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 235), (np.uint16, 1023), (np.float32, 0.1)])
def test_peak_multiplies_and_clamps_integers(isa: str, dtype: type, peak: float) -> None:
    grid = TileGrid(30, 50, 16, overlap=4, halo=1, scale=2)
    tiles = random_tiles(grid, 1, np.float32, 11)
    frame: Array = np.empty((60, 100), dtype)
    merge_into(frame, tiles, grid, peak=peak)
    expected, _ = reference.merge(tiles, grid, dtype=dtype, peak=peak)
    np.testing.assert_array_equal(frame, expected[..., 0])
    if dtype is not np.float32:
        assert frame.max() == peak


def test_halves_round_to_even_and_huge_values_clamp(isa: str) -> None:
    values = np.array([0.5, 1.5, 2.5, 253.5, 254.5, -0.5, 1e38, -1e38, 255.5], np.float32)
    tiles = np.resize(values / np.float32(255), (1, 1, 1, 9)).astype(np.float32)
    exact = tiles.ravel() * np.float32(255) == values
    frame = np.empty((1, 9), np.uint8)
    assert merge_into(frame, tiles, TileGrid(1, 9, (1, 9), overlap=0, halo=0))
    expected = np.array([0, 2, 2, 254, 254, 0, 255, 0, 255])
    assert exact[:5].any()
    assert (frame[0] == expected)[exact | (np.abs(values) > 255)].all()


def test_every_half_becomes_the_same_float(isa: str) -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(1, 1, 64, 1024)
    frame = np.empty((64, 1024), np.float32)
    grid = TileGrid(64, 1024, (64, 1024), overlap=0, halo=0)
    assert merge_into(frame, halves, grid) is False
    np.testing.assert_array_equal(frame, halves[0, 0].astype(np.float32))
    finite = np.where(np.isfinite(halves), halves, np.float16(0))
    assert merge_into(frame, finite, grid) is True
