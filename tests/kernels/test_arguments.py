"""Every function refuses what it cannot do, before it touches memory."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from restore_rt import _ext
from restore_rt.errors import InputError

GRID = _ext.TileGrid(20, 30, 16, overlap=4, halo=1, scale=2)
COUNT = GRID.count


def frame(*shape: int, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    return np.zeros(shape, dtype)


def unaligned(*shape: int, dtype: Any) -> np.ndarray[Any, Any]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    view: np.ndarray[Any, Any] = np.zeros(size + 1, np.uint8)[1:].view(dtype).reshape(shape)
    return view


def packed_field(*shape: int) -> np.ndarray[Any, Any]:
    """Return a float32 view whose strides are no multiple of 4."""
    field: np.ndarray[Any, Any] = np.zeros(shape, np.dtype([("v", "f4"), ("pad", "u1")]))["v"]
    return field


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.flags.writeable = False
    return array


COMMON_THREADS = [
    ({"threads": 0}, InputError, "threads is 0; allowed are 1 to 256"),
    ({"threads": 257}, InputError, "threads is 257"),
    ({"threads": 1.5}, TypeError, "threads is 1.5; it must be a whole number"),
]
COMMON_FRAME = [
    ({"frame": [[1, 2]]}, TypeError, "frame is <class 'list'>; it must be a numpy.ndarray"),
    ({"frame": None}, TypeError, "frame is <class 'NoneType'>"),
    ({"frame": frame(5)}, InputError, "frame has shape (5,); it must be (H, W) or (H, W, C)"),
    ({"frame": frame(20, 30, 2)}, InputError, "frame has shape (20, 30, 2)"),
    ({"frame": frame(20, 30, 0)}, InputError, "without a 0"),
    ({"frame": frame(0, 30)}, InputError, "without a 0"),
    ({"frame": frame(1, 20, 30, 1)}, InputError, "frame has shape (1, 20, 30, 1)"),
    ({"frame": frame(20, 30, dtype=np.int16)}, InputError, "frame is int16; allowed are uint8"),
    ({"frame": frame(20, 30, dtype=np.float64)}, InputError, "frame is float64"),
    ({"frame": frame(20, 30, dtype=np.float16)}, InputError, "frame is float16"),
    ({"frame": frame(20, 30, dtype="V0")}, InputError, "frame is |V0"),
    ({"frame": frame(20, 30, dtype=object)}, InputError, "frame is object"),
    ({"frame": frame(20, 30, dtype=">u2")}, InputError, "byte order"),
    ({"frame": unaligned(20, 30, dtype=np.float32)}, InputError, "frame is not aligned"),
    ({"frame": packed_field(20, 30)}, InputError, "frame is not aligned to its 4-byte items"),
]
COMMON_TILES = [
    ({"tiles": "tiles"}, TypeError, "tiles is <class 'str'>"),
    ({"tiles": frame(COUNT, 16, 16, dtype="f4")}, InputError, "it must be (n, C, h, w)"),
    ({"tiles": frame(COUNT, 1, 16, 16, dtype="f8")}, InputError, "tiles is float64"),
    ({"tiles": frame(COUNT, 1, 16, 16, dtype="u1")}, InputError, "tiles is uint8; allowed are fl"),
    ({"tiles": frame(COUNT, 1, 16, 32, dtype="f4")[..., ::2]}, InputError, "not C-contiguous"),
    ({"tiles": frame(COUNT, 3, 16, 16, dtype="f4")}, InputError, "this frame and grid need"),
    ({"tiles": frame(COUNT, 1, 16, 15, dtype="f4")}, InputError, "this frame and grid need"),
    ({"tiles": frame(COUNT, 1, 15, 16, dtype="f4")}, InputError, "this frame and grid need"),
    ({"tiles": unaligned(COUNT, 1, 16, 16, dtype="f4")}, InputError, "tiles is not aligned"),
    ({"tiles": frame(COUNT, 1, 16, 16, dtype=">f4")}, InputError, "byte order"),
]
COMMON_PEAK = [
    ({"peak": 0}, InputError, "peak is 0; for these frames it must be a whole number, 1 to 255"),
    ({"peak": 256}, InputError, "peak is 256"),
    ({"peak": 100.5}, InputError, "peak is 100.5"),
    ({"peak": float("nan")}, InputError, "peak is nan"),
    ({"peak": "1"}, TypeError, "peak is '1'; it must be a number or None"),
]


def check(
    function: Any, good: dict[str, Any], change: dict[str, Any], error: Any, text: str
) -> None:
    positional = [name for name in ("tiles", "frame", "dst", "src", "grid") if name in good]
    if function is _ext.merge_into:
        positional = ["frame", "tiles", "grid"]

    def call(arguments: dict[str, Any]) -> None:
        options = {k: v for k, v in arguments.items() if k not in positional}
        function(*(arguments[name] for name in positional), **options)

    call(good)
    with pytest.raises(error, match=re.escape(text)):
        call({**good, **change})


SPLIT_BAD = [
    *COMMON_THREADS,
    *COMMON_FRAME,
    *COMMON_TILES,
    *COMMON_PEAK,
    ({"frame": frame(30, 20)}, InputError, "the grid is for a frame of (20, 30)"),
    ({"tiles": frame(COUNT + 1, 1, 16, 16, dtype="f4")}, InputError, "the grid has only"),
    ({"tiles": read_only(frame(COUNT, 1, 16, 16, dtype="f4"))}, InputError, "tiles is read-only"),
    ({"first": 1}, InputError, "first is 1; allowed are 0 to 0"),
    ({"first": -1}, InputError, "first is -1"),
    ({"first": 2**65}, InputError, "first is 36893488147419103232"),
    ({"grid": None}, TypeError, "incompatible function arguments"),
]


@pytest.mark.parametrize(("change", "error", "text"), SPLIT_BAD)
def test_split_refuses(change: dict[str, Any], error: type[Exception], text: str) -> None:
    good = {"tiles": frame(COUNT, 1, 16, 16, dtype="f4"), "frame": frame(20, 30), "grid": GRID}
    check(_ext.split_into, good, change, error, text)


MERGE_BAD = [
    *COMMON_THREADS,
    *COMMON_FRAME,
    *COMMON_TILES,
    *COMMON_PEAK,
    ({"frame": frame(20, 30)}, InputError, "the grid makes a frame of (40, 60)"),
    ({"frame": read_only(frame(40, 60))}, InputError, "frame is read-only"),
    (
        {"frame": np.lib.stride_tricks.as_strided(frame(99), (40, 60), (1, 1))},
        InputError,
        "so its elements overlap",
    ),
    (
        {"frame": np.lib.stride_tricks.as_strided(frame(40), (40, 60), (1, 0))},
        InputError,
        "frame has strides (1, 0) for shape (40, 60), so its elements overlap",
    ),
    ({"tiles": frame(COUNT - 1, 1, 32, 32, dtype="f4")}, InputError, "are made from 6 tiles"),
    ({"tiles": frame(0, 1, 32, 32, dtype="f4")}, InputError, "are made from 6 tiles"),
    (
        {"tiles": frame(3, 1, 32, 32, dtype="f4"), "rows": (1, 2)},
        InputError,
        "are made from 6 tiles: enlarge it, or merge fewer rows at a time",
    ),
    ({"rows": (0, 3)}, InputError, "rows[1] is 3; allowed are 1 to 2"),
    ({"rows": (1, 1)}, InputError, "rows[0] is 1; allowed are 0 to 0"),
    ({"rows": (-1, 1)}, InputError, "rows[0] is -1"),
    ({"rows": (0,)}, InputError, "rows is (0,); it must be None or (begin, end)"),
    ({"rows": 1}, InputError, "rows is 1"),
    ({"rows": ("a", 1)}, TypeError, "rows[0] is 'a'"),
]


@pytest.mark.parametrize(("change", "error", "text"), MERGE_BAD)
def test_merge_refuses(change: dict[str, Any], error: type[Exception], text: str) -> None:
    good = {"tiles": frame(COUNT, 1, 32, 32, dtype="f4"), "frame": frame(40, 60), "grid": GRID}
    check(_ext.merge_into, good, change, error, text)


def planes(dtype: Any = np.uint8) -> dict[str, Any]:
    return {"dst": frame(20, 30, dtype=dtype), "src": frame(10, 15, dtype=dtype), "scale": 2}


UPSAMPLE_BAD = [
    *COMMON_THREADS,
    *COMMON_PEAK,
    ({"scale": 0}, InputError, "scale is 0; allowed are 1 to 8"),
    ({"scale": 9}, InputError, "scale is 9"),
    ({"scale": 3}, InputError, "dst has shape (20, 30); for src (10, 15) and scale 3"),
    ({"dst": frame(21, 30)}, InputError, "dst has shape (21, 30)"),
    ({"dst": frame(18, 30)}, InputError, "dst has shape (18, 30)"),
    ({"dst": frame(20, 28)}, InputError, "dst has shape (20, 28)"),
    ({"dst": frame(20, 30, 1)}, InputError, "dst has shape (20, 30, 1); it must be (H, W)"),
    ({"src": frame(0, 15)}, InputError, "without a 0"),
    ({"src": frame(10, 15, dtype="u2")}, InputError, "they must have the same dtype"),
    ({"src": frame(10, 15, dtype="i1")}, InputError, "src is int8"),
    ({"dst": read_only(frame(20, 30))}, InputError, "dst is read-only"),
    ({"phase": 0.5}, InputError, "phase is 0.5; it must be (vertical, horizontal)"),
    ({"phase": (0.5, 1.5)}, InputError, "phase is (0.5, 1.5)"),
    ({"phase": (float("nan"), 0.5)}, InputError, "phase is (nan, 0.5)"),
    ({"phase": ("a", 0.5)}, TypeError, "phase is ('a', 0.5)"),
    ({"phase": (0.5, 0.5, 0.5)}, InputError, "phase is (0.5, 0.5, 0.5)"),
]


@pytest.mark.parametrize(("change", "error", "text"), UPSAMPLE_BAD)
def test_upsample_refuses(change: dict[str, Any], error: type[Exception], text: str) -> None:
    check(_ext.upsample_plane_into, planes(), change, error, text)


@pytest.mark.parametrize("peak", [0.0, -1.0, float("inf"), 1e-40, 1e40])
def test_float_frames_need_a_usable_peak(peak: float) -> None:
    good = {
        "tiles": frame(COUNT, 1, 16, 16, dtype="f4"),
        "frame": frame(20, 30, dtype="f4"),
        "grid": GRID,
    }
    text = f"peak is {peak}; for float32 frames it must be a positive number"
    check(_ext.split_into, good, {"peak": peak}, InputError, text)


def test_shared_memory_is_refused() -> None:
    memory = np.zeros(COUNT * 32 * 32, np.float32)
    tiles = memory[: COUNT * 16 * 16].reshape(COUNT, 1, 16, 16)
    with pytest.raises(InputError, match="tiles and frame lie in the same memory"):
        _ext.split_into(tiles, memory[1535:2135].reshape(20, 30)[::-1, ::-1], GRID)
    _ext.split_into(tiles, memory[1536:2136].reshape(20, 30)[::-1, ::-1], GRID)
    frame_within = memory[-2400:].reshape(40, 60)
    with pytest.raises(InputError, match="frame and tiles lie in the same memory"):
        _ext.merge_into(frame_within, memory.reshape(COUNT, 1, 32, 32), GRID)
    plane = np.zeros((40, 60), np.uint8)
    with pytest.raises(InputError, match="dst and src lie in the same memory"):
        _ext.upsample_plane_into(plane[:20, :30], plane[10:20, :15], scale=2)


def test_neighbours_in_one_buffer_are_not_shared_memory() -> None:
    """A decoder's planes often lie one after another."""
    buffer = np.arange(750, dtype=np.uint16)
    _ext.upsample_plane_into(buffer[150:].reshape(20, 30), buffer[:150].reshape(10, 15), scale=2)


def test_an_odd_address_is_no_matter_to_bytes() -> None:
    src = unaligned(10, 15, dtype=np.uint8)
    _ext.upsample_plane_into(frame(20, 30), src, scale=2)


def test_an_unknown_instruction_set_is_refused() -> None:
    before = _ext.isa()
    with pytest.raises(InputError, match="isa is 'sse9'; this CPU has portable"):
        _ext.set_isa("sse9")
    assert _ext.isa() == before
