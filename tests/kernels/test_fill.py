from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restore_rt import _ext
from restore_rt.errors import InputError
from tests.kernels import fill_oracle
from tests.kernels.arrays import Array, Layout, frame_shape, random_frame

CHANNELS = st.sampled_from([None, 1, 3, 4])
SIDES = {"height": st.integers(1, 24), "width": st.integers(1, 24)}
RANDOM = {"share": st.floats(0, 1), "seed": st.integers(0, 99)}


def holes(height: int, width: int, share: float, seed: int) -> Array:
    """Return a mask with holes of several sizes; a pixel at least is known."""
    rng = np.random.default_rng(seed)
    block = int(rng.integers(1, 9))
    rows, cols = -(-height // block), -(-width // block)
    marked = rng.random((rows, cols)) < share
    mask = marked.repeat(block, axis=0).repeat(block, axis=1)[:height, :width]
    mask[rng.integers(height), rng.integers(width)] = False
    return mask.astype(np.uint8) * np.uint8(200)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(
    **SIDES,
    **RANDOM,
    channels=CHANNELS,
    sweeps=st.integers(0, 3),
    threads=st.integers(1, 4),
)
@example(height=1, width=1, share=0.0, seed=0, channels=3, sweeps=1, threads=1)
@example(height=1, width=24, share=1.0, seed=1, channels=None, sweeps=2, threads=2)
@example(height=23, width=17, share=1.0, seed=2, channels=3, sweeps=3, threads=4)
def test_holes_are_filled_as_by_the_oracle(
    layout: Layout,
    dtype: type,
    height: int,
    width: int,
    share: float,
    seed: int,
    channels: int | None,
    sweeps: int,
    threads: int,
) -> None:
    source = random_frame(frame_shape(height, width, channels), dtype, seed)
    mask = holes(height, width, share, seed)
    frame = layout(source.copy())
    _ext.fill_holes(frame, layout(mask), sweeps=sweeps, threads=threads)
    np.testing.assert_array_equal(frame, fill_oracle.fill(source, mask, sweeps=sweeps))
    np.testing.assert_array_equal(frame[mask == 0], source[mask == 0])


@given(**SIDES, **RANDOM)
def test_depths_are_those_of_the_oracle(
    layout: Layout, height: int, width: int, share: float, seed: int
) -> None:
    mask = holes(height, width, share, seed)
    depth = np.full(mask.shape, 77, np.uint8)
    _ext.hole_depth_into(depth, layout(mask))
    np.testing.assert_array_equal(depth, fill_oracle.depth(mask))


def test_a_depth_ends_at_255() -> None:
    mask = np.ones((1, 600), np.uint8)
    mask[0, 0] = 0
    depth = np.empty_like(mask)
    _ext.hole_depth_into(depth, mask)
    assert depth[0, :256].tolist() == list(range(256))
    assert (depth[0, 256:] == 255).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(**SIDES, **RANDOM, channels=CHANNELS, radius=st.integers(1, 6))
def test_halves_are_those_of_the_oracle(
    layout: Layout,
    dtype: type,
    height: int,
    width: int,
    share: float,
    seed: int,
    channels: int | None,
    radius: int,
) -> None:
    source = random_frame(frame_shape(height, width, channels), dtype, seed)
    mask = holes(height, width, share, seed)
    expected, expected_mask = fill_oracle.halve(source, mask)
    half, half_mask = layout(np.zeros_like(expected)), layout(np.zeros_like(expected_mask))
    _ext.halve_into(half, half_mask, layout(source), layout(mask))
    np.testing.assert_array_equal(half, expected)
    np.testing.assert_array_equal(half_mask, expected_mask)

    frame, depth = layout(source.copy()), fill_oracle.depth(mask)
    _ext.blend_half(frame, half, layout(depth), radius=radius)
    np.testing.assert_array_equal(frame, fill_oracle.blend(source, expected, depth, radius))
    np.testing.assert_array_equal(frame[depth <= radius], source[depth <= radius])


def test_a_ramp_goes_on_through_a_hole() -> None:
    """A straight line is harmonic: where all sides are known, enough sweeps give it back."""
    ramp = np.add.outer(np.arange(30), 2 * np.arange(40)).astype(np.float32)
    mask = np.zeros((30, 40), np.uint8)
    mask[8:21, 5:33] = 1
    frame = np.where(mask, np.float32(0), ramp)
    _ext.fill_holes(frame, mask, sweeps=200)
    np.testing.assert_allclose(frame, ramp, atol=0.01)


def test_what_lies_under_a_hole_is_not_looked_at() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[2:6, 3:7] = 255
    frame = np.full((9, 9, 3), 0.25, np.float32)
    frame[mask != 0] = np.nan
    half, half_mask = np.empty((5, 5, 3), np.float32), np.empty((5, 5), np.uint8)
    _ext.halve_into(half, half_mask, frame, mask)
    assert np.isfinite(half).all()
    _ext.fill_holes(frame, mask)
    assert (frame == 0.25).all()


@pytest.mark.parametrize(
    ("frame", "mask", "message"),
    [
        (np.zeros((4, 5), np.uint8), np.ones((4, 5), np.uint8), "marks every pixel"),
        (np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8), "the same height and width"),
        (np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint16), "it must be uint8"),
        (np.zeros((4, 5, 2), np.uint8), np.zeros((4, 5), np.uint8), "with C 1, 3 or 4"),
        (np.zeros((4, 5), np.int32), np.zeros((4, 5), np.uint8), "allowed are uint8"),
        (np.zeros((0, 5), np.uint8), np.zeros((0, 5), np.uint8), "without a 0"),
    ],
)
def test_wrong_arguments_are_refused(frame: Array, mask: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _ext.fill_holes(frame, mask)


def test_a_half_must_be_half_of_the_frame() -> None:
    frame, mask = np.zeros((5, 6, 3), np.uint8), np.zeros((5, 6), np.uint8)
    with pytest.raises(InputError, match="half of the frame's, rounded up"):
        _ext.halve_into(np.zeros((2, 3, 3), np.uint8), np.zeros((3, 3), np.uint8), frame, mask)
    with pytest.raises(InputError, match="half of the frame's, rounded up"):
        _ext.halve_into(np.zeros((3, 3, 3), np.uint8), np.zeros((3, 4), np.uint8), frame, mask)
    with pytest.raises(InputError, match="the frame's channels and dtype"):
        _ext.blend_half(frame, np.zeros((3, 3, 3), np.float32), mask, radius=4)
    with pytest.raises(InputError, match="radius is 0"):
        _ext.blend_half(frame, np.zeros((3, 3, 3), np.uint8), mask, radius=0)
