from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restore_rt import reference
from restore_rt._ext import upsample_plane_into
from tests.kernels.arrays import Array, Layout, random_frame

PHASES = st.sampled_from([(0.5, 0.5), (0.5, 0.25), (0.25, 0.25), (0.25, 0.5), (0.0, 1.0)])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(
    height=st.integers(1, 150),
    width=st.integers(1, 300),
    scale=st.integers(1, 8),
    phase=PHASES,
    threads=st.integers(1, 4),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_planes_equal_the_oracles_bit_for_bit(
    isa: str,
    layout: Layout,
    dtype: type,
    height: int,
    width: int,
    scale: int,
    phase: tuple[float, float],
    threads: int,
    seed: int,
    data: st.DataObject,
) -> None:
    src = random_frame((height, width), dtype, seed)
    crop = data.draw(st.tuples(*[st.integers(0, scale - 1)] * 2))
    shape = (height * scale - crop[0], width * scale - crop[1])
    dst = layout(np.zeros(shape, dtype))
    upsample_plane_into(dst, layout(src), scale=scale, phase=phase, threads=threads)
    expected = reference.upsample_plane(src, shape, scale=scale, phase=phase)
    np.testing.assert_array_equal(dst, expected)


@given(width=st.integers(500, 1100), crop=st.integers(0, 1), threads=st.integers(1, 4))
@example(width=512, crop=0, threads=1)
@example(width=513, crop=1, threads=1)
@example(width=1024, crop=1, threads=4)
def test_rows_longer_than_the_kernels_scratch(
    isa: str, width: int, crop: int, threads: int
) -> None:
    src = random_frame((180, width), np.uint8, 1)
    dst = np.empty((360 - crop, 2 * width - crop), np.uint8)
    upsample_plane_into(dst, src, scale=2, phase=(0.5, 0.25), threads=threads)
    expected = reference.upsample_plane(src, dst.shape, scale=2, phase=(0.5, 0.25))
    np.testing.assert_array_equal(dst, expected)


def test_a_hand_worked_row(isa: str) -> None:
    """Centred: positions -0.25, 0.25, 0.75, ...; a step of 64 with t = 1/4 and 3/4."""
    src = np.array([[0, 0, 64, 64]], np.float32)
    dst = np.empty((1, 8), np.float32)
    upsample_plane_into(dst, src, scale=2)
    # At t = 0.25 the weights are -9/128, 111/128, 29/128, -3/128, and mirrored at 0.75.
    assert dst[0].tolist() == [0.0, -1.5, -4.5, 13.0, 51.0, 68.5, 65.5, 64.0]


def test_a_co_sited_sample_is_kept_where_the_grids_meet(isa: str) -> None:
    """With phase 0 every second output sample lies on an input sample."""
    src = random_frame((9, 11), np.uint16, 2)
    dst = np.empty((18, 22), np.uint16)
    upsample_plane_into(dst, src, scale=2, phase=(0, 0))
    np.testing.assert_array_equal(dst[::2, ::2], src)


@pytest.mark.parametrize("phase", [(0.5, 0.5), (0.5, 0.25), (0.25, 0.25)])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_a_linear_ramp_stays_linear(scale: int, phase: tuple[float, float]) -> None:
    """Catmull-Rom reproduces straight lines, which shows that the siting is right."""
    y, x = np.mgrid[0:20, 0:24].astype(np.float32)
    dst = np.empty((20 * scale, 24 * scale), np.float32)
    upsample_plane_into(dst, 3 * y + 5 * x, scale=scale, phase=phase)
    rows, columns = ((np.arange(n) + p) / scale - p for n, p in zip(dst.shape, phase, strict=True))
    expected = 3 * rows[:, np.newaxis] + 5 * columns
    inner = (slice(2 * scale, -2 * scale),) * 2
    np.testing.assert_allclose(dst[inner], expected[inner], atol=1e-4)


def test_scale_one_copies_exactly(isa: str) -> None:
    bits = np.random.default_rng(3).integers(0, 2**32, (40, 50), np.uint32)
    src = bits.view(np.float32)
    dst = np.zeros_like(src)
    upsample_plane_into(dst, src, scale=1, phase=(0.5, 0.25))
    np.testing.assert_array_equal(dst.view(np.uint32), bits)


@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 235), (np.uint16, 1023)])
def test_integers_clamp_to_the_peak(isa: str, dtype: type, peak: int) -> None:
    src: Array = np.zeros((16, 16), dtype)
    src[4:12, 4:12] = peak
    dst: Array = np.empty((32, 32), dtype)
    upsample_plane_into(dst, src, scale=2, peak=peak)
    np.testing.assert_array_equal(dst, reference.upsample_plane(src, (32, 32), scale=2, peak=peak))
    assert dst.max() == peak
    assert dst.min() == 0
