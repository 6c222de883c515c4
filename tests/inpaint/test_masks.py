"""Masks in memory."""

from __future__ import annotations

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.inpaint import as_mask, fill, grown, halve, hole_depth, rectangles


def test_values_above_127_are_holes() -> None:
    values = np.array([[0, 1, 127, 128, 255]], np.uint8)
    assert as_mask(values).tolist() == [[0, 0, 0, 255, 255]]
    assert as_mask(values > 0).tolist() == [[0, 255, 255, 255, 255]]
    assert hole_depth(values).tolist() == [[0, 0, 0, 1, 2]]


def test_filling_leaves_its_input(rng: np.random.Generator) -> None:
    frame = rng.integers(0, 256, (9, 12, 3), np.uint8)
    before = frame.copy()
    mask = np.zeros((9, 12), np.uint8)
    mask[2:5, 3:8], mask[8, 8] = 255, 127
    filled = fill(frame, mask)
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(filled[mask < 128], frame[mask < 128])
    half, half_mask = halve(frame, mask)
    assert (half.shape, half_mask.shape) == ((5, 6, 3), (5, 6))
    # Only the blocks of 2x2 that lie in the hole: rows 2 and 3, columns 4 to 7.
    assert np.argwhere(half_mask).tolist() == [[1, 2], [1, 3]]


def test_growing_reaches_diagonals_and_stops_at_edges() -> None:
    mask = np.zeros((7, 9), np.uint8)
    mask[1, 1] = 255
    expected = np.zeros((7, 9), np.uint8)
    expected[:4, :4] = 255
    np.testing.assert_array_equal(grown(mask, 2), expected)
    np.testing.assert_array_equal(grown(mask, 0), mask)
    assert (grown(mask, 254) == 255).all()
    for pixels in (-1, 255, True, 1.5):
        with pytest.raises(InputError, match="whole numbers from 0 to 254"):
            grown(mask, pixels)  # type: ignore[arg-type]


def test_rectangles() -> None:
    mask = rectangles((5, 6, 3), [(0, 0, 1, 2), (4, 3, 2, 2)])
    assert np.argwhere(mask).tolist() == [[0, 0], [1, 0], [3, 4], [3, 5], [4, 4], [4, 5]]
    for rect in ((-1, 0, 2, 2), (0, 0, 0, 1), (5, 0, 2, 1), (0, 4, 1, 2)):
        with pytest.raises(InputError, match="does not lie in the frame, which is 6x5"):
            rectangles((5, 6), [rect])
