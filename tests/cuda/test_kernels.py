"""The CUDA kernels against the oracle: on the host from the same sources, and on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restore_rt import reference
from restore_rt._ext import TileGrid
from restore_rt.errors import InputError
from tests.cuda.place import Place
from tests.kernels.arrays import CASES, Array, frame_shape, grids, random_frame, random_tiles
from tests.kernels.conftest import LAYOUTS

SHIFT = 6
MISALIGNED = st.integers(0, 5)


def test_the_module_says_what_it_was_built_for(place: Place) -> None:
    found = place.kernels.architectures()
    assert (len(found) == 0) == (place.name == "host")
    assert all(number >= 75 for number in found)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(**CASES, layout=st.sampled_from(sorted(LAYOUTS)), offset=MISALIGNED)
@example(TileGrid(135, 240, (72, 128), overlap=16, halo=4), 3, np.float16, "contiguous", 0, 0)
@example(TileGrid(64, 96, 96, overlap=16, halo=4), None, np.float16, "contiguous", 1, 0)
@example(TileGrid(3, 700, (8, 600), overlap=4, halo=0), 4, np.float32, "contiguous", 3, 0)
def test_tiles_equal_the_oracles_bit_for_bit(
    place: Place,
    dtype: type,
    grid: TileGrid,
    channels: int | None,
    real: type,
    layout: str,
    offset: int,
    seed: int,
) -> None:
    frame = random_frame(frame_shape(grid.height, grid.width, channels), dtype, seed)
    expected = reference.split(frame, grid, dtype=real)
    tiles = place.put(np.full(expected.shape, np.nan, real))
    place.kernels.split_into(
        tiles, place.put(LAYOUTS[layout](frame), offset=offset), grid, stream=place.stream
    )
    np.testing.assert_array_equal(place.get(tiles), expected)


@given(grid=grids(), data=st.data())
def test_a_batch_is_a_part_of_the_whole(place: Place, grid: TileGrid, data: st.DataObject) -> None:
    frame = random_frame((grid.height, grid.width, 3), np.uint8, 1)
    first = data.draw(st.integers(0, grid.count - 1))
    batch = data.draw(st.integers(1, min(9, grid.count - first)))
    tiles = place.put(np.empty((batch, 3, *grid.tile), np.float32))
    place.kernels.split_into(tiles, place.put(frame), grid, first=first, stream=place.stream)
    expected = reference.split(frame, grid)[first : first + batch]
    np.testing.assert_array_equal(place.get(tiles), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(**CASES, layout=st.sampled_from(sorted(LAYOUTS)), offset=MISALIGNED)
@example(TileGrid(135, 240, (72, 128), overlap=16, halo=4, scale=2), 3, np.float16, "planar", 0, 0)
@example(TileGrid(64, 96, 96, overlap=16, halo=4, scale=2), None, np.float16, "contiguous", 1, 0)
@example(TileGrid(3, 700, (8, 600), overlap=4, halo=0), 4, np.float32, "contiguous", 3, 0)
def test_frames_equal_the_oracles_bit_for_bit(
    place: Place,
    dtype: type,
    grid: TileGrid,
    channels: int | None,
    real: type,
    layout: str,
    offset: int,
    seed: int,
) -> None:
    tiles = random_tiles(grid, channels or 1, real, seed)
    expected, _ = reference.merge(tiles, grid, dtype=dtype)
    expected = expected[..., 0] if channels is None else expected
    frame = place.put(LAYOUTS[layout](np.full(expected.shape, 123, dtype)), offset=offset)
    flag = place.put(np.zeros(1, np.uint32))
    place.kernels.merge_into(frame, place.put(tiles), grid, flag=flag, stream=place.stream)
    np.testing.assert_array_equal(place.get(frame), expected)
    assert place.get(flag) == 0


@given(grid=grids(), data=st.data())
def test_a_ring_of_two_tile_rows_is_enough(
    place: Place, grid: TileGrid, data: st.DataObject
) -> None:
    tiles = random_tiles(grid, 1, np.float32, 5)
    expected, _ = reference.merge(tiles, grid)
    axis, _ = reference.AxisTiles.of(grid)
    slots = data.draw(st.integers(2 * grid.cols, 2 * grid.cols + 3))
    ring = np.full((slots, *tiles.shape[1:]), np.nan, np.float32)
    frame = place.put(np.full(grid.output_shape, 77, np.uint8))
    flag = place.put(np.zeros(1, np.uint32))
    for row in range(grid.rows):
        for tile in range(row * grid.cols, (row + 1) * grid.cols):
            ring[tile % slots] = tiles[tile]
        before = place.get(frame).copy()
        place.kernels.merge_into(
            frame, place.put(ring), grid, rows=(row, row + 1), flag=flag, stream=place.stream
        )
        written = axis.piece(row, row + 1)
        before[written] = expected[..., 0][written]
        np.testing.assert_array_equal(place.get(frame), before)
    assert place.get(flag) == 0


@given(
    grid=grids(),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    real=st.sampled_from([np.float32, np.float16]),
    data=st.data(),
)
def test_what_is_not_finite_raises_the_flag_where_it_is_used(
    place: Place, grid: TileGrid, bad: float, dtype: type, real: type, data: st.DataObject
) -> None:
    tiles = random_tiles(grid, 1, real, 7)
    tiles.flat[data.draw(st.integers(0, tiles.size - 1))] = bad
    _, finite = reference.merge(tiles, grid, dtype=dtype)
    frame = place.put(np.empty(grid.output_shape, dtype))
    flag = place.put(np.zeros(1, np.uint32))
    place.kernels.merge_into(frame, place.put(tiles), grid, flag=flag, stream=place.stream)
    assert place.get(flag) == (0 if finite else 1)


def test_a_raised_flag_stays_raised(place: Place) -> None:
    grid = TileGrid(16, 16, 16, overlap=0, halo=0)
    flag = place.put(np.ones(1, np.uint32))
    tiles = place.put(random_tiles(grid, 1, np.float32, 0))
    frame = place.put(np.empty((16, 16), np.uint8))
    place.kernels.merge_into(frame, tiles, grid, flag=flag, stream=place.stream)
    assert place.get(flag) == 1


@pytest.mark.parametrize(
    ("dtype", "real"), [(np.uint8, np.float32), (np.uint8, np.float16), (np.float32, np.float32)]
)
def test_identity_returns_every_size_bit_for_bit(place: Place, dtype: type, real: type) -> None:
    source = random_frame((97, 97, 3), dtype, 8)
    sizes = [(h, w) for h in (*range(1, 10), 24, 32, 33, 61, 97) for w in range(1, 98, 3)]
    for height, width in sizes:
        frame = np.ascontiguousarray(source[:height, :width])
        grid = TileGrid(height, width, (32, 24), overlap=8, halo=2, multiple=2)
        tiles = place.put(np.empty((grid.count, 3, 32, 24), real))
        result = place.put(np.zeros_like(frame))
        flag = place.put(np.zeros(1, np.uint32))
        place.kernels.split_into(tiles, place.put(frame), grid, stream=place.stream)
        place.kernels.merge_into(result, tiles, grid, flag=flag, stream=place.stream)
        assert (place.get(result) == frame).all(), (height, width)


@pytest.mark.parametrize("offset", range(4))
def test_every_ten_bit_sample_in_the_high_bits_survives(place: Place, offset: int) -> None:
    """As P010 has them; what lies in the low bits is no part of a sample."""
    frame = (np.arange(1024, dtype=np.uint16) << SHIFT).reshape(16, 64)
    grid = TileGrid(16, 64, (16, 32), overlap=8, halo=2)
    tiles = place.put(np.empty((grid.count, 1, 16, 32), np.float16))
    flag = place.put(np.zeros(1, np.uint32))
    result = place.put(np.empty_like(frame), offset=offset)
    noisy = place.put(frame | 21, offset=offset)
    place.kernels.split_into(tiles, noisy, grid, shift=SHIFT, stream=place.stream)
    expected = reference.split(frame >> SHIFT, grid, dtype=np.float16, peak=1023)
    np.testing.assert_array_equal(place.get(tiles), expected)
    place.kernels.merge_into(result, tiles, grid, flag=flag, shift=SHIFT, stream=place.stream)
    np.testing.assert_array_equal(place.get(result), frame)


@pytest.mark.parametrize(("black", "white"), [(-1.0, 1.0), (0.0, 255.0), (16.0, 235.0)])
def test_a_networks_own_levels_go_in_and_come_out(place: Place, black: float, white: float) -> None:
    grid = TileGrid(40, 33, 16, overlap=4, halo=1)
    frame = random_frame((40, 33, 3), np.uint8, 2)
    tiles = place.put(np.empty((grid.count, 3, 16, 16), np.float32))
    result = place.put(np.empty_like(frame))
    flag = place.put(np.zeros(1, np.uint32))
    levels = {"black": black, "white": white, "stream": place.stream}
    place.kernels.split_into(tiles, place.put(frame), grid, **levels)
    span = np.float32(white) - np.float32(black)
    expected = reference.split(frame, grid) * span + np.float32(black)
    np.testing.assert_array_equal(place.get(tiles), expected)
    place.kernels.merge_into(result, tiles, grid, flag=flag, **levels)
    np.testing.assert_array_equal(place.get(result), frame)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 90),
    scale=st.integers(1, 8),
    phase=st.sampled_from([(0.5, 0.5), (0.5, 0.25), (0.25, 0.25), (0.0, 1.0)]),
    pair=st.booleans(),
    layout=st.sampled_from(sorted(LAYOUTS)),
    offset=MISALIGNED,
    data=st.data(),
)
@example(12, 32, 2, (0.5, 0.25), True, "contiguous", 0, None)
@example(12, 32, 2, (0.5, 0.25), False, "contiguous", 1, None)
def test_planes_equal_the_oracles_bit_for_bit(
    place: Place,
    dtype: type,
    height: int,
    width: int,
    scale: int,
    phase: tuple[float, float],
    pair: bool,
    layout: str,
    offset: int,
    data: st.DataObject | None,
) -> None:
    src = random_frame(frame_shape(height, width, 2 if pair else None), dtype, 3)
    cut = data.draw(st.tuples(*[st.integers(0, scale - 1)] * 2)) if data else (0, 0)
    shape = (height * scale - cut[0], width * scale - cut[1])
    arrange: Callable[[Array], Array] = LAYOUTS[layout]
    dst = place.put(
        arrange(np.zeros(frame_shape(*shape, 2 if pair else None), dtype)), offset=offset
    )
    place.kernels.upsample_into(
        dst, place.put(arrange(src), offset=offset), scale=scale, phase=phase, stream=place.stream
    )
    planes = [src[..., c] for c in range(2)] if pair else [src]
    enlarged = [reference.upsample_plane(p, shape, scale=scale, phase=phase) for p in planes]
    expected = np.stack(enlarged, axis=-1) if pair else enlarged[0]
    np.testing.assert_array_equal(place.get(dst), expected)


def test_ten_bit_chroma_keeps_its_place(place: Place) -> None:
    src = random_frame((9, 16, 2), np.uint16, 4) >> SHIFT
    dst = place.put(np.empty((18, 32, 2), np.uint16))
    place.kernels.upsample_into(
        dst, place.put(src << SHIFT), scale=2, shift=SHIFT, stream=place.stream
    )
    for c in range(2):
        expected = reference.upsample_plane(src[..., c], (18, 32), scale=2, peak=1023) << SHIFT
        np.testing.assert_array_equal(place.get(dst)[..., c], expected)


def test_a_graph_repeats_what_it_recorded_and_runs_nothing_meanwhile(place: Place) -> None:
    grid = TileGrid(20, 20, 16, overlap=8, halo=2)
    frame = place.put(random_frame((20, 20), np.uint8, 5))
    tiles = place.put(np.zeros((grid.count, 1, 16, 16), np.float32))
    result = place.put(np.zeros((20, 20), np.uint8))
    flag = place.put(np.zeros(1, np.uint32))

    def work() -> None:
        place.kernels.split_into(tiles, frame, grid, stream=place.stream)
        place.kernels.merge_into(result, tiles, grid, flag=flag, stream=place.stream)

    graph = place.kernels.Graph.capture(place.stream, work)
    assert (place.get(result) == 0).all()
    for seed in (6, 7):
        pixels = random_frame((20, 20), np.uint8, seed)
        place.refill(frame, pixels)
        graph.launch(place.stream)
        np.testing.assert_array_equal(place.get(result), pixels)


def test_a_capture_that_fails_leaves_the_stream_in_order(place: Place) -> None:
    def fail() -> None:
        raise KeyError("of the work")

    with pytest.raises(KeyError, match="of the work"):
        place.kernels.Graph.capture(place.stream, fail)
    grid = TileGrid(8, 8, 8, overlap=0, halo=0)
    tiles = place.put(np.zeros((1, 1, 8, 8), np.float32))
    frame = random_frame((8, 8), np.uint8, 9)
    place.kernels.split_into(tiles, place.put(frame), grid, stream=place.stream)
    np.testing.assert_array_equal(place.get(tiles), reference.split(frame, grid))


class Bare:
    """Memory that describes itself as its fields say."""

    def __init__(self, **fields: Any) -> None:
        usual = {"shape": (8, 8), "typestr": "|u1", "data": (4096, False), "version": 3}
        self.__cuda_array_interface__ = {**usual, **fields}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"frame": np.zeros((8, 8), np.uint8)}, TypeError, "must be memory of the GPU"),
        ({"frame": Bare(data=(0, False))}, InputError, "its pointer is 0"),
        ({"frame": Bare(shape=(9, 8))}, InputError, r"the grid is for a frame of \(8, 8\)"),
        ({"frame": Bare(typestr="<f8")}, InputError, "allowed are uint8, uint16 and float32"),
        ({"frame": Bare(data="no")}, InputError, "cannot be read"),
        ({"frame": Bare(typestr="nonsense")}, InputError, "cannot be read"),
        ({"frame": Bare(strides=(8, None))}, InputError, "cannot be read"),
        ({"stream": 0}, InputError, "stream is 0"),
        ({"shift": 2}, InputError, "it must be 0 for all but uint16"),
        ({"black": 1.0, "white": 1.0}, InputError, "black below white"),
        ({"tiles": Bare(shape=(1, 1, 8, 8), typestr="<f4", data=(8192, True))}, InputError,
         "tiles is read-only"),
    ],
)  # fmt: skip
def test_arguments_are_checked_before_memory_is_touched(
    kernels: ModuleType, arguments: dict[str, Any], error: type, message: str
) -> None:
    usual = {
        "tiles": Bare(shape=(1, 1, 8, 8), typestr="<f4", data=(8192, False)),
        "frame": Bare(),
        "grid": TileGrid(8, 8, 8, overlap=0, halo=0),
        "stream": 1,
    }
    with pytest.raises(error, match=message):
        kernels.split_into(**{**usual, **arguments})


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (Bare(shape=(2,), typestr="<u4"), "must be one uint32"),
        (Bare(shape=(1,), typestr="<i4"), "must be one uint32"),
    ],
)
def test_a_flag_is_one_uint32(kernels: ModuleType, flag: Bare, message: str) -> None:
    tiles = Bare(shape=(1, 1, 8, 8), typestr="<f4", data=(8192, False))
    grid = TileGrid(8, 8, 8, overlap=0, halo=0)
    with pytest.raises(InputError, match=message):
        kernels.merge_into(Bare(), tiles, grid, flag=flag, stream=1)
