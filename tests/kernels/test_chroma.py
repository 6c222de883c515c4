"""What a chroma network reads of 4:2:0 planes, and the planes that it makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restore_rt._ext import Network, chroma_inputs_into
from restore_rt.errors import InputError
from tests.kernels import network_oracle
from tests.kernels.arrays import Array, Layout
from tests.kernels.test_network import random_layer

DEPTHS = st.sampled_from([8, 10, 16])
# Of variances, which are differences, float32 has three digits where they are as small as noise.
TOLERANCE = 3e-4


def planes_420(height: int, width: int, depth: int, seed: int) -> list[Array]:
    """Draw a frame of flat patches with grain; each plane differs."""
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if depth == 8 else np.uint16
    peak = (1 << depth) - 1
    planes = []
    for h, w in [(height, width)] + [(-(-height // 2), -(-width // 2))] * 2:
        patches = rng.uniform(0, peak, (-(-h // 5), -(-w // 5))).repeat(5, 0).repeat(5, 1)
        grain = rng.normal(0, peak / 50, (h, w))
        planes.append(np.clip(np.rint(patches[:h, :w] + grain), 0, peak).astype(dtype))
    return planes


def mean(plane: Array, reach: int) -> Array:
    """Average over windows, of what there is of them in the plane."""
    ones = np.ones(plane.shape)
    side = 2 * reach + 1
    sums = [
        np.lib.stride_tricks.sliding_window_view(np.pad(p, reach), (side, side)).sum((2, 3))
        for p in (plane, ones)
    ]
    averaged: Array = sums[0] / sums[1]
    return averaged


def inputs_of(planes: list[Array], depth: int) -> Array:
    """Compute what a chroma network reads, in float64, as its description says."""
    peak = (1 << depth) - 1
    height, width = planes[1].shape
    edges = ((0, 2 * height - planes[0].shape[0]), (0, 2 * width - planes[0].shape[1]))
    luma = np.pad(planes[0], edges, "edge") / peak
    places = [luma[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    # Where chroma lies: on the even columns, between the rows.
    rows = (luma[::2] + luma[1::2]) / 2
    # The column before the first is the one after it.
    left = np.concatenate([rows[:, 1:2], rows[:, 1:-1:2]], axis=1)
    s = rows[:, ::2] / 2 + rows[:, 1::2] / 4 + left / 4
    lines, details, chroma = [], [], []
    for plane in planes[1:]:
        c = (plane - float(1 << (depth - 1))) / peak
        both = mean(s * c, 3) - mean(s, 3) * mean(c, 3)
        slope = mean(both / (mean(s * s, 3) - mean(s, 3) ** 2 + 1.5e-4), 3)
        chroma.append(c)
        details += [slope * (place - mean(s, 1)) for place in places]
        lines.append(mean(c, 3) + slope * (s - mean(s, 3)))
    return np.stack([*places, *chroma, *details, *lines], axis=2)


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 70),
    depth=DEPTHS,
    threads=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_inputs_are_those_of_the_oracle(
    isa: str, layout: Layout, height: int, width: int, depth: int, threads: int, seed: int
) -> None:
    planes = planes_420(height, width, depth, seed)
    inputs = np.empty((*planes[1].shape, 16), np.float32)
    chroma_inputs_into(inputs, [layout(p) for p in planes], bit_depth=depth, threads=threads)
    np.testing.assert_allclose(inputs, inputs_of(planes, depth), atol=TOLERANCE)


def test_inputs_do_not_depend_on_threads_or_strips(isa: str) -> None:
    planes = planes_420(300, 1101, 8, 0)
    made = [np.empty((*planes[1].shape, 16), np.float32) for _ in range(2)]
    for inputs, threads in zip(made, (1, 7), strict=True):
        chroma_inputs_into(inputs, planes, threads=threads)
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_allclose(made[0], inputs_of(planes, 8), atol=TOLERANCE)


def chroma_layers(seed: int, shuffle: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        random_layer(rng, 0, 16, 16) | {"activation": "relu"},
        random_layer(rng, 0, 16, 2 * shuffle**2),
        random_layer(rng, 1, 16, 2 * shuffle**2) | {"residual": 2},
    ]


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 50),
    shuffle=st.integers(1, 4),
    cut=st.booleans(),
    depth=DEPTHS,
    threads=st.integers(1, 4),
    band=st.none() | st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_planes_are_those_of_the_oracle(
    isa: str,
    layout: Layout,
    height: int,
    width: int,
    shuffle: int,
    cut: bool,
    depth: int,
    threads: int,
    band: int | None,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(-0.3, 0.3, (height, width, 16)).astype(np.float32)
    layers = chroma_layers(seed, shuffle)
    network = Network(layers, channels=16, shuffle=shuffle)
    assert (network.channels, network.colours, network.scale) == (16, 2, shuffle)
    less = int(cut and shuffle > 1)
    shape = (height * shuffle - less, width * shuffle - less)
    dtype = np.uint8 if depth == 8 else np.uint16
    planes = [layout(np.zeros(shape, dtype)) for _ in range(2)]
    assert network.run_chroma_into(planes, inputs, bit_depth=depth, threads=threads, band_rows=band)
    peak, grey = (1 << depth) - 1, 1 << (depth - 1)
    expected = network_oracle.run(layers, inputs, shuffle=shuffle) * peak + grey
    for colour, plane in enumerate(planes):
        wanted = np.clip(expected[: shape[0], : shape[1], colour], 0, peak)
        # Half is rounding, and 16 bits show that of the sums, too.
        np.testing.assert_allclose(plane, wanted, atol=0.51 if depth < 16 else 3)


def test_nan_is_reported() -> None:
    network = Network(chroma_layers(0, 2), channels=16, shuffle=2)
    planes = [np.zeros((12, 14), np.uint8) for _ in range(2)]
    inputs = np.zeros((6, 7, 16), np.float32)
    assert network.run_chroma_into(planes, inputs)
    inputs[2, 3, 15] = np.nan
    assert not network.run_chroma_into(planes, inputs)


INPUTS = np.zeros((4, 5, 16), np.float32)


@pytest.mark.parametrize(
    ("planes", "inputs", "depth", "message"),
    [
        ([(8, 10), (4, 5)], INPUTS, 8, "there are 2 planes; it must be three"),
        ([(8, 10), (8, 5), (8, 5)], INPUTS, 8, "no 4:2:0 frame"),
        ([(6, 10), (3, 5), (3, 5)], INPUTS, 8, "its sides must be those of Cb and Cr"),
        ([(8, 10), (4, 5), (4, 5)], INPUTS[..., :15], 8, r"it must be float32 \(H, W, 16\)"),
        ([(8, 10), (4, 5), (4, 5)], INPUTS.astype(float), 8, "inputs is float64"),
        ([(8, 10), (4, 5), (4, 5)], INPUTS, 10, "bit_depth is 10; allowed are 8 to 8"),
    ],
)
def test_planes_that_do_not_fit_are_refused(
    planes: list[tuple[int, int]], inputs: Array, depth: int, message: str
) -> None:
    arrays = [np.zeros(shape, np.uint8) for shape in planes]
    with pytest.raises(InputError, match=message):
        chroma_inputs_into(inputs, arrays, bit_depth=depth)


@pytest.mark.parametrize(
    ("out", "dtype", "message"),
    [
        ([(8, 10)], np.uint8, "out has 1 planes; it must be Cb and Cr"),
        ([(8, 10), (8, 9)], np.uint8, "both must have one shape and dtype"),
        ([(6, 10), (6, 10)], np.uint8, "2 times as large, or less by less than that"),
        ([(8, 10), (8, 10)], np.float32, "allowed are uint8 and uint16"),
    ],
)
def test_results_that_do_not_fit_are_refused(
    out: list[tuple[int, int]], dtype: type, message: str
) -> None:
    network = Network(chroma_layers(0, 2), channels=16, shuffle=2)
    with pytest.raises(InputError, match=message):
        network.run_chroma_into([np.zeros(shape, dtype) for shape in out], INPUTS)


def test_other_networks_are_refused() -> None:
    rng = np.random.default_rng(0)
    network = Network([random_layer(rng, 0, 1, 4)], channels=1, shuffle=2)
    planes = [np.zeros((8, 10), np.uint8) for _ in range(2)]
    with pytest.raises(InputError, match="takes 1 channels; a chroma network takes 16"):
        network.run_chroma_into(planes, INPUTS)
    with pytest.raises(InputError, match="makes 4 channels; of a chroma network"):
        Network([random_layer(rng, 0, 16, 4)], channels=16, shuffle=2)
