"""Kernels and graphs on a GPU over frames of PyTorch and CuPy, without a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from restore_rt._ext import TileGrid
from restore_rt.gpu import DeviceFrame, Pool, kernels, open_device
from restore_rt.gpu.frame import as_device_frame
from restore_rt.gpu.memory import pinned_empty
from restore_rt.gpu.transfer import upload_async
from tests.gpu.other_libraries import LIBRARIES, WAYS, Library, open_library
from tests.pixels import random_frame

pytestmark = pytest.mark.gpu

Array = NDArray[Any]
SHAPE = (75, 118, 3)
GRID = TileGrid(*SHAPE[:2], (48, 64), overlap=16, halo=4, feather=8, scale=1, multiple=1)


class Ours(Library):
    """Frames in this package's own memory, for machines that have no other library."""

    name = "restore_rt"

    def __init__(self) -> None:
        self._device = open_device()
        with self._device.active():
            self._stream = self._device.stream()
        self._pool = Pool(self._device, stream=self._stream)

    def put(self, array: Array) -> DeviceFrame:
        made = self._pool.empty(array.shape, array.dtype)
        with self._device.active():
            staged = pinned_empty(array.shape, array.dtype)
            staged[...] = array
            upload_async(made, staged, self._stream)
            self._stream.synchronize()
        return DeviceFrame.of(made)

    def host(self, array: Any) -> Array:
        return DeviceFrame.of(array).to_host()

    def take(self, offered: Any) -> Array:
        return self.host(offered._array)


@pytest.fixture(params=[*LIBRARIES, Ours.name])
def library(request: pytest.FixtureRequest) -> Library:
    return Ours() if request.param == Ours.name else open_library(request.param)


@pytest.mark.parametrize("way", WAYS)
def test_a_graph_reads_and_writes_frames_of_other_libraries(library: Library, way: Any) -> None:
    """Split and merge without a network give the frame back: what is recorded, and run again."""
    frames = [random_frame(np.random.default_rng(seed), SHAPE, np.uint8) for seed in (1, 2)]
    device = open_device()
    with device.active():
        stream = device.stream()
        pool = Pool(device, stream=stream)
        tiles = pool.empty((GRID.count, SHAPE[2], *GRID.tile), np.float16)
        out = DeviceFrame.of(pool.empty(SHAPE, np.uint8))
        flag = pool.empty((1,), np.uint32)
        for frame in frames:
            source = as_device_frame(way(library.put(frame)), device=device, stream=stream)

            def work(source: DeviceFrame = source) -> None:
                kernels().split_into(tiles, source, GRID, stream=stream.handle)
                kernels().merge_into(out, tiles, GRID, flag=flag, stream=stream.handle)

            work()
            stream.synchronize()
            graph = kernels().Graph.capture(stream.handle, work)
            graph.launch(stream.handle)
            stream.synchronize()
            np.testing.assert_array_equal(library.take(way(out)), frame)
