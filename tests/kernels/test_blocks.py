"""Networks that read the frame in blocks of pixels, at one size or at several."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restore_rt._ext import Network
from restore_rt.errors import InputError
from tests.kernels import network_oracle
from tests.kernels.test_network import (
    TOLERANCE,
    Layers,
    random_activation,
    random_frame,
    random_layer,
    run,
)


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 40),
    width=st.integers(1, 60),
    channels=st.sampled_from([1, 3, 4]),
    sides=st.sampled_from([(2, 2), (2, 4), (2, 6), (2, 8), (4, 4), (4, 8)]),
    depth=st.integers(1, 4),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    threads=st.integers(1, 3),
    band=st.none() | st.integers(1, 20),
)
def test_networks_of_blocks_equal_the_oracle(
    isa: str,
    seed: int,
    height: int,
    width: int,
    channels: int,
    sides: tuple[int, int],
    depth: int,
    dtype: type,
    threads: int,
    band: int | None,
) -> None:
    rng = np.random.default_rng(seed)
    unshuffle, shuffle = sides
    inputs = channels * unshuffle**2
    widths = [inputs, *rng.choice([1, 8, 16, 19, 32], depth - 1), channels * shuffle**2]
    layers = [
        random_layer(rng, index, int(taken), int(made)) | random_activation(rng, int(made))
        for index, (taken, made) in enumerate(pairwise(widths))
    ]
    network = Network(layers, channels=channels, shuffle=shuffle, unshuffle=unshuffle)
    assert network.scale == shuffle // unshuffle
    frame = random_frame(rng, (height, width, channels), dtype)
    result = run(network, frame, threads=threads, band_rows=band)
    expected = network_oracle.run(layers, frame, shuffle=shuffle, unshuffle=unshuffle)
    if dtype is np.float32:
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE["fp32"] * scale)
    else:
        rounded = network_oracle.rounded(expected, dtype).astype(int)
        assert np.abs(result.astype(int) - rounded).max() <= 1


def coarse_to_fine(rng: np.random.Generator, channels: int, width: int) -> Layers:
    """Make layers at a quarter, half and the whole of the frame, which go from coarse to fine."""
    relu = {"activation": "relu"}
    return [
        {"step": "frame", "source": 0, "factor": 2},
        {"step": "frame", "source": 0, "factor": 4},
        random_layer(rng, 0, 16 * channels, 24) | relu,
        random_layer(rng, 3, 24, 4 * width, 1),
        {"step": "shuffle", "source": 4, "factor": 2},
        random_layer(rng, 1, 4 * channels, width) | {"residual": 5} | relu,
        random_layer(rng, 6, width, 64, 1),
        {"step": "shuffle", "source": 7, "factor": 2},
        random_layer(rng, 2, channels, 16) | {"residual": 8} | relu,
        random_layer(rng, 9, 16, 4 * channels),
    ]


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 50),
    width=st.integers(1, 60),
    channels=st.sampled_from([1, 3, 4]),
    middle=st.sampled_from([1, 3, 16, 19, 32]),
    dtype=st.sampled_from([np.uint8, np.float32]),
    threads=st.integers(1, 3),
    band=st.none() | st.integers(1, 12),
    ring=st.none() | st.just(1),
)
def test_networks_from_coarse_to_fine_equal_the_oracle(
    isa: str,
    seed: int,
    height: int,
    width: int,
    channels: int,
    middle: int,
    dtype: type,
    threads: int,
    band: int | None,
    ring: int | None,
) -> None:
    rng = np.random.default_rng(seed)
    layers = coarse_to_fine(rng, channels, middle)
    network = Network(layers, channels=channels, shuffle=2, unshuffle=4, ring_bytes=ring)
    assert network.scale == 2
    frame = random_frame(rng, (height, width, channels), dtype)
    result = run(network, frame, threads=threads, band_rows=band)
    expected = network_oracle.run(layers, frame, shuffle=2, unshuffle=4)
    if dtype is np.float32:
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE["fp32"] * scale)
    else:
        rounded = network_oracle.rounded(expected, dtype).astype(int)
        assert np.abs(result.astype(int) - rounded).max() <= 1


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "shuffle", "factor": 3}, "layer 0 makes pixels of 16 channels, which are no"),
        ({"step": "frame", "factor": 3}, "layer 0 makes pixels of 16 channels, which are no"),
        ({"step": "frame", "factor": 4, "source": 1}, "layer 1 makes blocks of value 1 smaller"),
    ],
)
def test_blocks_that_do_not_divide_are_refused(step: dict[str, Any], message: str) -> None:
    before = [random_layer(np.random.default_rng(0), 0, 16, 16)] if "source" in step else []
    with pytest.raises(InputError, match=message):
        Network([*before, {"source": 0} | step], channels=1, shuffle=1, unshuffle=4)


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ((3, 6), "the unshuffle is 3; allowed are 1, 2 and 4"),
        ((2, 5), "the shuffle is 5; allowed are 1 to 4, 6 and 8"),
        ((2, 3), "the result is 3/2 times as large as the frame; allowed are 1 to"),
        ((9, 2), "unshuffle is 9; allowed are 1 to 4"),
    ],
)
def test_blocks_of_other_sides_are_refused(sides: tuple[int, int], message: str) -> None:
    unshuffle, shuffle = sides
    layers = [random_layer(np.random.default_rng(0), 0, unshuffle**2, shuffle**2)]
    with pytest.raises(InputError, match=message):
        Network(layers, channels=1, shuffle=shuffle, unshuffle=unshuffle)
