"""Networks that work at several sizes: blocks of pixels as channels, and shuffles within."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from restore_rt.native.network import UnsupportedError, open_native
from tests.native.test_native import Graph, compare


def after_the_shuffle(g: Graph) -> str:
    t = g.add("LeakyRelu", g.conv("x", 1, 12), alpha=0.2)
    t = g.conv(g.add("DepthToSpace", t, blocksize=2, mode="CRD"), 3, 16)
    return g.add("DepthToSpace", g.conv(t, 16, 4), blocksize=2, mode="CRD")


def shuffled_for_two_readers(g: Graph) -> str:
    t = g.conv("x", 1, 64)
    u = g.conv(g.add("DepthToSpace", t, blocksize=2, mode="CRD"), 16, 64)
    return g.conv(g.add("Add", u, g.nearest(t, 2)), 64, 1)


@pytest.mark.parametrize("build", [after_the_shuffle, shuffled_for_two_readers])
def test_shuffles_within(build: Callable[[Graph], str]) -> None:
    graph = Graph()
    compare(graph.model(build(graph)), 1)


def gathered(g: Graph, side: int, **options: Any) -> str:
    """Make channels of the pixels of blocks, by weights of zeros and ones."""
    weights = np.eye(g.channels * side**2).reshape(-1, g.channels, side, side)
    return g.add("Conv", "x", g.constant(weights), strides=[side, side], **options)


@pytest.mark.parametrize(("side", "shuffle"), [(2, 4), (4, 8), (2, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_blocks_of_pixels(side: int, shuffle: int, channels: int) -> None:
    graph = Graph(channels)
    inputs = channels * side**2
    blocks = gathered(graph, side)
    t = graph.conv(graph.add("Relu", graph.conv(blocks, inputs, 24)), 24, channels * shuffle**2)
    t = graph.add("Add", t, graph.conv(blocks, inputs, channels * shuffle**2, 1))
    t = graph.add("DepthToSpace", t, blocksize=shuffle, mode="CRD")
    compare(graph.model(t), channels, (32, 44))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_frame_at_three_sizes(channels: int) -> None:
    graph = Graph(channels)
    t = graph.add("Relu", graph.conv(gathered(graph, 4), 16 * channels, 24))
    t = graph.add("DepthToSpace", graph.conv(t, 24, 64, 1), blocksize=2, mode="CRD")
    t = graph.add("Relu", graph.add("Add", graph.conv(gathered(graph, 2), 4 * channels, 16), t))
    t = graph.add("DepthToSpace", graph.conv(t, 16, 64, 1), blocksize=2, mode="CRD")
    t = graph.add("Relu", graph.add("Add", graph.conv("x", channels, 16), t))
    t = graph.add("DepthToSpace", graph.conv(t, 16, 4 * channels), blocksize=2, mode="CRD")
    compare(graph.model(graph.add("Add", graph.nearest("x", 2), t)), channels, (32, 44))


def blocks_moved(g: Graph) -> str:
    return gathered(g, 2, pads=[1, 1, 1, 1])


def blocks_beside_the_frame(g: Graph) -> str:
    t = g.conv(gathered(g, 2), 4, 16)
    return g.add("Add", g.add("DepthToSpace", t, blocksize=4, mode="CRD"), g.nearest("x", 2))


def large_blocks_within(g: Graph) -> str:
    return g.conv(g.add("DepthToSpace", g.conv("x", 1, 36), blocksize=6, mode="CRD"), 1, 1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (blocks_moved, r"'node_t0' \(Conv\): it runs kernels of 1x1 and 3x3"),
        (blocks_beside_the_frame, r"\(Add\): after DepthToSpace only a nearest enlargement"),
        (
            large_blocks_within,
            r"'node_t1' \(DepthToSpace\): its blocks are 6 a side; allowed are 2 to 4;",
        ),
    ],
)
def test_what_cannot_be_run_is_named(build: Callable[[Graph], str], message: str) -> None:
    graph = Graph()
    with pytest.raises(UnsupportedError, match=message):
        open_native(graph.model(build(graph)))
