"""Parts of results: what changed is found and made, to the last bit as in the whole."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt._ext import Network
from restore_rt.errors import InputError
from tests.kernels.test_colour import enlarging_network
from tests.kernels.test_int8 import made_by, random_int8_network
from tests.kernels.test_network import (
    Layout,
    deep_network,
    random_activation,
    random_frame,
    random_layer,
    random_network,
    run,
)

Array = NDArray[Any]
Box = tuple[int, int, int, int]


def changed(rng: np.random.Generator, frame: Array, count: int) -> Array:
    """Return the frame with so many small rectangles of other samples."""
    result = frame.copy()
    for _ in range(count):
        y, x = rng.integers(0, frame.shape[0]), rng.integers(0, frame.shape[1])
        height, width = rng.integers(1, 12, 2)
        part = result[y : y + height, x : x + width]
        part[...] = random_frame(rng, part.shape, frame.dtype.type)
    return result


def check_changes(network: Network, frame: Array, before: Array, **options: Any) -> list[Box]:
    """Check that what is found holds all that differs, and is made as it is in the whole."""
    known, whole = run(network, before), run(network, frame)
    boxes = _ext.find_changes(network, frame, before)
    outside = np.ones(whole.shape[:2], bool)
    for top, left, bottom, right in boxes:
        assert outside[top:bottom, left:right].all(), "boxes overlap"
        outside[top:bottom, left:right] = False
    np.testing.assert_array_equal(known[outside], whole[outside])
    out = known.copy()
    assert network.run_into(out, frame, boxes=boxes, **options)
    np.testing.assert_array_equal(out, whole)
    return boxes


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 90),
    width=st.integers(1, 130),
    channels=st.sampled_from([1, 3, 4]),
    shuffle=st.integers(1, 4),
    depth=st.integers(1, 6),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    kind=st.sampled_from(["floats", "bytes", "blocks"]),
    which=st.integers(0, 9),
    count=st.integers(0, 4),
    threads=st.sampled_from([1, 2, 5]),
    band=st.none() | st.integers(1, 50),
    ring_bytes=st.sampled_from([None, 1]),
)
def test_any_change_is_found_and_made(
    isa: str,
    seed: int,
    height: int,
    width: int,
    channels: int,
    shuffle: int,
    depth: int,
    dtype: type,
    kind: str,
    which: int,
    count: int,
    threads: int,
    band: int | None,
    ring_bytes: int | None,
) -> None:
    rng = np.random.default_rng(seed)
    unshuffle, precision = 1, "fp32"
    if kind == "blocks":
        unshuffle, shuffle = 2, 2 * shuffle
        widths = [4 * channels, *rng.choice([1, 8, 16, 19], depth - 1), channels * shuffle**2]
        layers = [
            random_layer(rng, index, int(taken), int(made)) | random_activation(rng, int(made))
            for index, (taken, made) in enumerate(pairwise(widths))
        ]
    elif kind == "bytes":
        layers = random_int8_network(rng, channels, channels * shuffle**2, depth)
    else:
        layers = random_network(rng, channels, channels, shuffle, depth)
    names = made_by(vnni=bool(which % 2))
    if kind == "floats" and _ext.has_bf16() and which % 2:
        precision, names = "bf16", _ext.algorithms("bf16")
    choices = [None, *([name] for name in names)]
    network = Network(
        layers,
        channels=channels,
        shuffle=shuffle,
        unshuffle=unshuffle,
        precision=precision,
        algorithms=choices[which % len(choices)] if kind == "floats" else None,
        ring_bytes=ring_bytes,
    )
    before = random_frame(rng, (height, width, channels), dtype)
    frame = changed(rng, before, count)
    boxes = check_changes(network, frame, before, threads=threads, band_rows=band)
    if np.array_equal(frame, before):
        assert not boxes


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 70),
    width=st.integers(1, 300),
    factors=st.sampled_from([(1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 1, 1), (3, 2, 1), (1, 4, 2)]),
    side=st.sampled_from([1, 3]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    count=st.integers(0, 3),
    threads=st.sampled_from([1, 3]),
)
def test_any_change_of_colour_is_found_and_made(
    isa: str,
    seed: int,
    height: int,
    width: int,
    factors: tuple[int, int, int],
    side: int,
    dtype: type,
    count: int,
    threads: int,
) -> None:
    """Colour reads neighbours that a network of small kernels does not."""
    network = enlarging_network(*factors, side=side)
    rng = np.random.default_rng(seed)
    before = random_frame(rng, (height, width, 3), dtype)
    frame = changed(rng, before, count)
    known: Array = np.empty((height * network.scale, width * network.scale, 3), dtype)
    whole = known.copy()
    for out, one in ((known, before), (whole, frame)):
        assert network.run_colour_into(out, one)
    boxes = _ext.find_changes(network, frame, before)
    assert network.run_colour_into(known, frame, threads=threads, boxes=boxes)
    np.testing.assert_array_equal(known, whole)
    if np.array_equal(frame, before):
        assert not boxes


@pytest.mark.parametrize("algorithm", ["winograd", "direct", "tail"])
def test_a_single_pixel_anywhere(isa: str, algorithm: str, rng: np.random.Generator) -> None:
    if algorithm not in _ext.algorithms():
        pytest.skip(f"{isa} has no {algorithm}")
    network = Network(deep_network(), channels=1, shuffle=2, algorithms=[algorithm])
    before = random_frame(rng, (70, 90, 1), np.float32)
    for place in range(16):
        for y, x in ((0, 0), (32, 40), (66, 86)):
            frame = before.copy()
            frame[y + place // 4, x + place % 4] = 0.5
            boxes = check_changes(network, frame, before)
            assert len(boxes) == 1
    assert sum((box[2] - box[0]) * (box[3] - box[1]) for box in boxes) < 140 * 180 / 2


def test_changes_in_any_layout(layout: Layout, rng: np.random.Generator) -> None:
    network = Network([random_layer(rng, 0, 3, 3)], channels=3)
    before = random_frame(rng, (64, 80, 3), np.uint16)
    frame = before.copy()
    assert _ext.find_changes(network, layout(frame), before) == []
    frame[40, 50, 1] ^= 1
    boxes = _ext.find_changes(network, layout(frame), layout(before))
    assert boxes == _ext.find_changes(network, frame, before)
    (box,) = boxes
    assert box[0] <= 39
    assert box[2] >= 42


def test_far_changes_are_boxes_of_their_own(rng: np.random.Generator) -> None:
    network = Network(deep_network(), channels=1, shuffle=2)
    before = random_frame(rng, (400, 400, 1), np.uint8)
    frame = before.copy()
    frame[50, 60] ^= 255
    frame[300, 350] ^= 255
    boxes = check_changes(network, frame, before)
    assert len(boxes) == 2
    assert sum((box[2] - box[0]) * (box[3] - box[1]) for box in boxes) < 0.05 * 800 * 800


def test_where_nearly_all_changes_the_whole_is_made(rng: np.random.Generator) -> None:
    network = Network(deep_network(), channels=1, shuffle=2)
    before = random_frame(rng, (200, 300, 1), np.uint8)
    assert _ext.find_changes(network, before ^ 1, before) == [(0, 0, 400, 600)]
    frame = before ^ 1
    frame[:4] = before[:4]
    assert _ext.find_changes(network, frame, before) == [(0, 0, 400, 600)]
    frame[:100] = before[:100]
    (box,) = check_changes(network, frame, before)
    assert box[0] > 0


def test_zeros_and_nan_are_compared_by_their_bits() -> None:
    network = Network([random_layer(np.random.default_rng(0), 0, 1, 1)], channels=1)
    before = np.full((200, 60), np.nan, np.float32)
    assert _ext.find_changes(network, before.copy(), before) == []
    zero = np.zeros((200, 60), np.float32)
    negative = zero.copy()
    negative[100, 10] = -0.0
    assert _ext.find_changes(network, negative, zero)


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    scale=st.integers(1, 4),
    less=st.integers(0, 1),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    phase=st.sampled_from([0.25, 0.5]),
)
def test_rows_of_chroma(
    seed: int, height: int, width: int, scale: int, less: int, dtype: type, phase: float
) -> None:
    rng = np.random.default_rng(seed)
    before = random_frame(rng, (height, width), dtype)
    frame = before.copy()
    for y in rng.integers(0, height, rng.integers(0, 3)):
        frame[y, rng.integers(0, width)] ^= 3
    shape = (height * scale - min(less, scale - 1), width * scale)
    known: Array = np.empty(shape, dtype)
    whole: Array = np.empty(shape, dtype)
    for out, plane in ((known, before), (whole, frame)):
        _ext.upsample_plane_into(out, plane, scale=scale, phase=(phase, 0.5))
    rows = _ext.find_row_changes(frame, before, scale=scale, height=shape[0])
    outside = np.ones(shape[0], bool)
    for begin, end in rows:
        assert outside[begin:end].all()
        outside[begin:end] = False
    np.testing.assert_array_equal(known[outside], whole[outside])
    assert bool(rows) == (not np.array_equal(frame, before))


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ((0, 0, 5, 4), "multiples of 2"),
        ((1, 0, 4, 4), "multiples of 2"),
        ((4, 0, 4, 4), "begin before it ends"),
        ((0, 0, 4, 22), "allowed are 1 to 20"),
        ((0, -2, 4, 4), "allowed are 0 to 19"),
        ((0, 0, 4), "4 whole numbers"),
        (7, "4 whole numbers"),
    ],
)
def test_boxes_that_cannot_be(box: Any, problem: str) -> None:
    network = Network(deep_network(), channels=1, shuffle=2)
    frame = np.zeros((10, 10), np.uint8)
    with pytest.raises(InputError, match=problem):
        network.run_into(np.empty((20, 20), np.uint8), frame, boxes=[box])


def test_frames_that_are_no_pair() -> None:
    network = Network(deep_network(), channels=1, shuffle=2)
    frame = np.zeros((10, 10), np.uint8)
    for other in (np.zeros((10, 11), np.uint8), np.zeros((10, 10), np.uint16)):
        with pytest.raises(InputError, match="one shape and dtype"):
            _ext.find_changes(network, frame, other)
