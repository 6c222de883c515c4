"""Luma through a network and chroma through bicubic, in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restore_rt._ext import Network, upsample_plane_into
from restore_rt.errors import InputError
from tests.kernels.arrays import Array, Layout
from tests.kernels.test_network import random_layer


def luma_network(scale: int, *, colours: int = 1) -> Network:
    rng = np.random.default_rng(scale)
    layers = [
        random_layer(rng, 0, colours, 16) | {"activation": "relu"},
        random_layer(rng, 1, 16, colours * scale**2),
    ]
    return Network(layers, channels=colours, shuffle=scale)


def random_planes(shapes: Sequence[tuple[int, ...]], dtype: type, seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    if dtype is np.float32:
        return [rng.uniform(0, 1, shape).astype(dtype) for shape in shapes]
    return [rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True) for shape in shapes]


@given(
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    height=st.integers(1, 70),
    width=st.integers(1, 90),
    halved=st.tuples(st.booleans(), st.booleans()),
    scale=st.integers(1, 4),
    phase=st.sampled_from([(0.5, 0.5), (0.5, 0.25), (0.25, 0.25)]),
    threads=st.integers(1, 4),
    band=st.none() | st.integers(1, 80),
    seed=st.integers(0, 99),
)
def test_planes_equal_both_steps_bit_for_bit(
    isa: str,
    layout: Layout,
    dtype: type,
    height: int,
    width: int,
    halved: tuple[bool, bool],
    scale: int,
    phase: tuple[float, float],
    threads: int,
    band: int | None,
    seed: int,
) -> None:
    sides = ((height, width), (height * scale, width * scale))
    # Odd sides are halved upwards, before and after enlargement.
    small, large = (
        tuple(-(-side // 2) if half else side for side, half in zip(size, halved, strict=True))
        for size in sides
    )
    planes = random_planes([sides[0], small, small], dtype, seed)
    network = luma_network(scale)
    out = [layout(np.zeros(shape, dtype)) for shape in (sides[1], large, large)]
    given_planes = [layout(plane) for plane in planes]
    assert network.run_planes_into(out, given_planes, phase=phase, threads=threads, band_rows=band)
    luma: Array = np.zeros(sides[1], dtype)
    assert network.run_into(luma, planes[0])
    np.testing.assert_array_equal(out[0], luma)
    for plane, result in zip(planes[1:], out[1:], strict=True):
        expected: Array = np.zeros(large, dtype)
        upsample_plane_into(expected, plane, scale=scale, phase=phase)
        np.testing.assert_array_equal(result, expected)


def test_a_peak_is_white_in_every_plane() -> None:
    planes = [np.full(shape, 1023, np.uint16) for shape in ((20, 30), (10, 15), (10, 15))]
    planes[1][4:6] = 0
    out = [np.empty(shape, np.uint16) for shape in ((40, 60), (20, 30), (20, 30))]
    assert luma_network(2).run_planes_into(out, planes, peak=1023)
    assert [plane.max() for plane in out[1:]] == [1023, 1023]
    assert out[0].max() <= 1023


def test_nan_in_luma_is_reported_and_in_chroma_is_not() -> None:
    planes = random_planes([(60, 50), (30, 25), (30, 25)], np.float32, 0)
    out = [np.empty((2 * p.shape[0], 2 * p.shape[1]), np.float32) for p in planes]
    network = luma_network(2)
    assert network.run_planes_into(out, planes, threads=2)
    planes[1][3, 4] = np.nan
    assert network.run_planes_into(out, planes, threads=2)
    planes[0][50, 4] = np.nan
    assert not network.run_planes_into(out, planes, threads=2)


def planes_of(*shapes: tuple[int, int]) -> list[Array]:
    return [np.zeros(shape, np.uint8) for shape in shapes]


@pytest.mark.parametrize(
    ("out", "planes", "message"),
    [
        (planes_of((8, 8)), planes_of((4, 4)), "out has 1 planes; it must be three"),
        (
            planes_of((8, 8), (4, 4), (4, 4)),
            planes_of((4, 4), (2, 2)),
            "planes has 2 planes; it must be three",
        ),
        (
            planes_of((8, 7), (4, 4), (4, 4)),
            planes_of((4, 4), (2, 2), (2, 2)),
            "2 times as large",
        ),
        (
            planes_of((8, 8), (4, 4), (4, 5)),
            planes_of((4, 4), (2, 2), (2, 2)),
            "a side must be that of src times scale",
        ),
    ],
)
def test_planes_that_do_not_fit_are_refused(
    out: list[Array], planes: list[Array], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        luma_network(2).run_planes_into(out, planes)


def test_a_network_of_colours_is_refused() -> None:
    planes = planes_of((4, 4), (2, 2), (2, 2))
    with pytest.raises(InputError, match="3 channels and makes 3; planes need one"):
        luma_network(1, colours=3).run_planes_into(planes, planes)


def test_shared_memory_is_refused() -> None:
    planes = planes_of((4, 4), (2, 2), (2, 2))
    with pytest.raises(InputError, match="same memory"):
        luma_network(1).run_planes_into([planes_of((4, 4))[0], *planes[1:]], planes)
