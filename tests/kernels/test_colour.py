"""RGB frames: their luma through a network, their chroma enlarged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from restore_rt import _ext, reference
from restore_rt._ext import Network, colour_into, luma_into, upsample_plane_into
from restore_rt.errors import InputError
from tests.kernels.arrays import Array, Layout, random_frame
from tests.kernels.conftest import LAYOUTS
from tests.kernels.test_network import random_layer
from tests.kernels.test_planes import luma_network

DTYPES = [np.uint8, np.uint16, np.float32]
WEIGHTS = np.array([0.299, 0.587, 0.114])


def bgr(array: Array) -> Array:
    """Return a view of memory in which blue comes first."""
    return np.ascontiguousarray(array[..., ::-1])[..., ::-1]


def beside_alpha(array: Array) -> Array:
    """Return a view of memory in which every pixel has an alpha channel."""
    large = np.full((*array.shape[:2], 4), 77, array.dtype)
    large[..., :3] = array
    return large[..., :3]


def bgr_beside_alpha(array: Array) -> Array:
    return beside_alpha(array[..., ::-1])[..., ::-1]


ORDERS: dict[str, Layout] = {
    **LAYOUTS,
    "bgr": bgr,
    "beside alpha": beside_alpha,
    "bgr beside alpha": bgr_beside_alpha,
}


@pytest.fixture(scope="session", params=ORDERS)
def order(request: pytest.FixtureRequest) -> Layout:
    """Copy an array into memory of another order, of pixels or of channels."""
    return ORDERS[request.param]


def random_rgb(height: int, width: int, dtype: DTypeLike, seed: int) -> Array:
    return random_frame((height, width, 3), np.dtype(dtype).type, seed)


def luma_like(shape: tuple[int, int], seed: int) -> Array:
    return np.random.default_rng(seed).uniform(-0.1, 1.1, shape).astype(np.float32)


@given(
    dtype=st.sampled_from(DTYPES),
    height=st.integers(1, 150),
    width=st.integers(1, 600),
    threads=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_luma_equals_the_oracles_bit_for_bit(
    isa: str, order: Layout, dtype: type, height: int, width: int, threads: int, seed: int
) -> None:
    frame = random_rgb(height, width, dtype, seed)
    luma = np.zeros((height, width), np.float32)
    luma_into(luma, order(frame), threads=threads)
    np.testing.assert_array_equal(luma, reference.luma(frame))


@given(
    dtype=st.sampled_from(DTYPES),
    height=st.integers(1, 60),
    width=st.integers(1, 300),
    scale=st.integers(1, 6) | st.just(16),
    threads=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_colour_equals_the_oracles_bit_for_bit(
    isa: str,
    order: Layout,
    dtype: type,
    height: int,
    width: int,
    scale: int,
    threads: int,
    seed: int,
) -> None:
    frame = random_rgb(height, width, dtype, seed)
    luma = luma_like((height * scale, width * scale), seed)
    out: Array = order(np.zeros((*luma.shape, 3), dtype))
    assert colour_into(out, order(frame), luma, scale=scale, threads=threads)
    np.testing.assert_array_equal(out, reference.colour(frame, luma, scale=scale))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.uint8, 1), (np.uint16, 1), (np.float32, 2e-6)]
)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_luma_of_the_enlarged_frame_is_replaced(
    isa: str, dtype: type, tolerance: float, scale: int
) -> None:
    """As it is defined: the same difference is added to the three enlarged channels."""
    frame = random_rgb(37, 53, dtype, 1)
    if dtype is np.float32:
        frame = frame.clip(0, 1)
    peak = reference.default_peak(frame.dtype)
    luma = luma_like((37 * scale, 53 * scale), 2)
    out: Array = np.zeros((*luma.shape, 3), dtype)
    assert colour_into(out, frame, luma, scale=scale)
    enlarged = np.zeros(out.shape, np.float32)
    for channel in range(3):
        plane = (frame[..., channel] / peak).astype(np.float32)
        upsample_plane_into(enlarged[..., channel], plane, scale=scale)
    full = (luma.astype(np.float64) - 16 / 255) * 255 / 219
    expected = enlarged + (full - enlarged @ WEIGHTS)[..., np.newaxis]
    if dtype is not np.float32:
        expected = np.rint(expected * peak).clip(0, peak)
    assert np.abs(out - expected).max() <= tolerance


@pytest.mark.parametrize("dtype", DTYPES)
def test_greys_stay_grey_to_the_bit(isa: str, dtype: type) -> None:
    grey = random_rgb(20, 300, dtype, 3)[..., :1]
    out: Array = np.zeros((60, 900, 3), dtype)
    assert colour_into(out, np.repeat(grey, 3, 2), luma_like((60, 900), 4), scale=3)
    np.testing.assert_array_equal(out[..., 0], out[..., 1])
    np.testing.assert_array_equal(out[..., 2], out[..., 1])


def enlarging_network(factor: int, shuffle: int, unshuffle: int, *, side: int = 3) -> Network:
    """Make a network whose last value may be of another size than the frame, and lie odd in it."""
    rng = np.random.default_rng(factor)
    enlarge = {"step": "nearest", "source": 1, "factor": factor}
    layers = [
        random_layer(rng, 0, unshuffle**2, 16, side),
        *([enlarge] if factor > 1 else []),
        random_layer(rng, 2 if factor > 1 else 1, 16, shuffle**2, side),
    ]
    return Network(layers, channels=1, shuffle=shuffle, unshuffle=unshuffle, ring_bytes=1)


@given(
    dtype=st.sampled_from(DTYPES),
    height=st.integers(1, 70),
    width=st.integers(1, 400),
    factors=st.sampled_from([(1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 1, 1), (3, 2, 1), (1, 4, 2)]),
    threads=st.integers(1, 5),
    band=st.none() | st.integers(1, 80),
    seed=st.integers(0, 99),
)
def test_one_pass_equals_its_steps_bit_for_bit(
    isa: str,
    order: Layout,
    dtype: type,
    height: int,
    width: int,
    factors: tuple[int, int, int],
    threads: int,
    band: int | None,
    seed: int,
) -> None:
    network = enlarging_network(*factors)
    frame = random_rgb(height, width, dtype, seed)
    out = order(np.zeros((height * network.scale, width * network.scale, 3), dtype))
    assert network.run_colour_into(out, order(frame), threads=threads, band_rows=band)
    luma = np.zeros((height, width), np.float32)
    luma_into(luma, frame)
    restored = np.zeros(out.shape[:2], np.float32)
    assert network.run_into(restored, luma)
    expected: Array = np.zeros(out.shape, dtype)
    assert colour_into(expected, frame, restored, scale=network.scale)
    np.testing.assert_array_equal(out, expected)


def test_nan_in_a_channel_is_reported() -> None:
    frame = random_rgb(60, 50, np.float32, 0)
    out = np.zeros((120, 100, 3), np.float32)
    network = luma_network(2)
    assert network.run_colour_into(out, frame, threads=2)
    frame[50, 4, 2] = np.nan
    assert not network.run_colour_into(out, frame, threads=2)
    assert not colour_into(out, frame, np.zeros((120, 100), np.float32), scale=2)


SMALL = np.zeros((4, 5, 3), np.uint8)
LARGE = np.zeros((8, 10, 3), np.uint8)
LUMA = np.zeros((8, 10), np.float32)


@pytest.mark.parametrize(
    ("out", "frame", "luma", "message"),
    [
        (LARGE[..., 0], SMALL, LUMA, r"out has shape \(8, 10\); it must be \(H, W, 3\)"),
        (LARGE, np.zeros((4, 5, 4), np.uint8), LUMA, "frame has shape"),
        (LARGE[:7], SMALL, LUMA, "2 times as large"),
        (LARGE.astype(np.uint16), SMALL, LUMA, "different types"),
        (LARGE, SMALL, LUMA[:7], r"luma is float32 of \(7, 10\)"),
        (LARGE, SMALL, LUMA.astype(np.float64), "luma is float64"),
        (LARGE, SMALL, np.asfortranarray(LUMA), "C-contiguous"),
        (LARGE, LARGE[::2, ::2], LUMA, "same memory"),
    ],
)
def test_what_does_not_fit_is_refused(out: Array, frame: Array, luma: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        colour_into(out, frame, luma, scale=2)


def test_a_network_of_colours_is_refused() -> None:
    with pytest.raises(InputError, match="3 channels and makes 3; this needs one that"):
        luma_network(1, colours=3).run_colour_into(SMALL.copy(), SMALL)


def test_luma_needs_an_array_of_its_size() -> None:
    with pytest.raises(InputError, match=r"luma is float32 of \(8, 10\); it must be"):
        luma_into(LUMA, SMALL)
    mixed = np.zeros((4, 5, 3), np.float32)
    with pytest.raises(InputError, match="same memory"):
        luma_into(mixed.reshape(-1)[:20].reshape(4, 5), mixed)


def test_an_rgb_network_takes_bgr(isa: str) -> None:
    frame = random_rgb(30, 700, np.uint8, 5)
    network = luma_network(2, colours=3)
    out, turned = np.zeros((2, 60, 1400, 3), np.uint8)
    assert network.run_into(out, frame)
    assert network.run_into(turned[..., ::-1], bgr(frame))
    np.testing.assert_array_equal(turned[..., ::-1], out)
    assert _ext.isa() == isa
