"""The loops that restore-rt is compared with do what it does: else they would be no comparison."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def loops() -> Any:
    return importlib.import_module("user_loops")


@pytest.mark.parametrize(
    ("length", "tile", "context", "expected"),
    [
        (10, 0, 3, [(0, 10, 0, 10)]),
        (10, 10, 3, [(0, 10, 0, 10)]),
        (10, 6, 1, [(0, 5, 0, 4), (3, 9, 4, 8), (7, 10, 8, 10)]),
        (5, 3, 1, [(0, 2, 0, 1), (0, 3, 1, 2), (1, 4, 2, 3), (2, 5, 3, 4), (3, 5, 4, 5)]),
    ],
)
def test_windows_worked_out_by_hand(
    loops: Any, length: int, tile: int, context: int, expected: list[tuple[int, ...]]
) -> None:
    assert [tuple(window) for window in loops.windows(length, tile, context)] == expected


def test_a_tile_that_keeps_nothing_is_refused(loops: Any) -> None:
    with pytest.raises(ValueError, match="keeps nothing with a context of 4"):
        list(loops.windows(100, 8, 4))


def _mean_around(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Enlarge the mean of each pixel and the four around it, which is a halo of 1."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:] + padded[..., :-2, 1:-1]
    total += padded[..., 2:, 1:-1] + x
    return (total / 5).astype(np.float32).repeat(2, 2).repeat(2, 3)


@pytest.mark.parametrize("size", [(1, 1), (23, 41), (40, 16)])
def test_tiles_give_the_whole_frame_if_they_share_the_halo(
    loops: Any, size: tuple[int, int]
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (3, *size), np.uint8)
    whole = np.empty((3, 2 * size[0], 2 * size[1]), np.uint8)
    in_tiles, too_little = np.empty_like(whole), np.empty_like(whole)
    loops.Tiled(_mean_around, 0, 0).run_into(whole, frame)
    loops.Tiled(_mean_around, 16, 1).run_into(in_tiles, frame)
    loops.Tiled(_mean_around, 16, 0).run_into(too_little, frame)
    np.testing.assert_array_equal(in_tiles, whole)
    assert np.array_equal(too_little, whole) == (max(size) <= 16)


def test_bytes_are_rounded_and_clamped(loops: Any) -> None:
    values = np.array([-0.2, 0.4 / 255, 0.6 / 255, 1.5], np.float32)
    out = np.empty(4, np.uint8)
    loops.to_bytes(out, values)
    assert out.tolist() == [0, 0, 1, 255]
